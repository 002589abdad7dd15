"""Runs and turns with a key where others come between, or one of them broke off."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.conversation.turns.leases import apart
from tests.fake_models import Broken, Script
from tests.sample_items import answer, call, user
from turnlog import Agent, LeaseLost, Log, RunConfig, Runner, Store, StoredSession, function_tool
from turnlog.conversation.turns.lease import Lease
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

SECONDS = 0.3


def _keyed(key: str) -> RunConfig:
    return RunConfig(key=key, lease_seconds=SECONDS)


async def _run(store: Store, key: str | None, model: Any) -> str:
    config = RunConfig(key=key, lease_seconds=SECONDS)
    session = StoredSession("s", store)
    result = await Runner.run(Agent("A", model=model), "go", session=session, run_config=config)
    return str(result.final_output)


async def _failed(store: Store, key: str | None) -> None:
    with pytest.raises(ConnectionError):
        await _run(store, key, Broken(1))


async def _items(store: Store) -> list[Any]:
    return await StoredSession("s", store).get_items()


async def test_a_run_that_waited_behind_the_same_words_is_known_by_its_key() -> None:
    store, asked, may_break = MemoryStore(), asyncio.Event(), asyncio.Event()

    class Breaking:
        async def respond(self, request: object) -> Any:
            asked.set()
            await may_break.wait()
            raise ConnectionError

    async def fails() -> None:
        with pytest.raises(ConnectionError):
            await _run(store, None, Breaking())

    failing = asyncio.create_task(apart(fails()))
    await asked.wait()
    behind = asyncio.create_task(apart(_run(store, "k", Script([answer("once")]))))
    while not await store.read(Log("s", ":queue")):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    may_break.set()
    assert await behind == "once"
    await failing
    assert await _run(store, "k", Script([answer("twice")])) == "once"
    # The question of a run without a key is not taken for that of one with a key.
    assert (await _items(store)).count(user("go")) == 2
    lease = {head.log.name: head.length for head in await store.logs("s")}[":lease"]
    assert lease == 0


async def test_two_keys_with_the_same_words_are_two_questions() -> None:
    store = MemoryStore()
    await _failed(store, "first")
    await _run(store, "second", Script([answer("to the second")]))
    await _run(store, "first", Script([answer("to the first")]))
    assert (await _items(store)).count(user("go")) == 2


async def test_a_run_that_lost_its_lease_to_a_start_of_the_same_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, asked, resumed = MemoryStore(), asyncio.Event(), asyncio.Event()

    class Paused:
        async def respond(self, request: object) -> Any:
            asked.set()
            await resumed.wait()
            return await Script([answer("late")]).respond(request)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:  # the process was stopped
        patch.setattr(Lease, "_schedule_renewal", lambda _: None)
        paused = asyncio.create_task(apart(_run(store, "k", Paused())))
        await asked.wait()
    assert await apart(_run(store, "k", Script([answer("stored")]))) == "stored"
    resumed.set()
    with suppress(LeaseLost):
        assert await paused == "stored"
    assert await _items(store) == [user("go"), answer("stored")]


async def test_a_turn_that_was_left_by_an_error_behind_its_answer_is_answered() -> None:
    store = MemoryStore()
    with suppress(OSError):
        async with StoredSession("s", store).turn("go", key="k") as turn:
            await turn.add([answer("done")])
            raise OSError
    async with StoredSession("s", store).turn("go", key="k") as turn:
        assert turn.answer == [answer("done")]


async def test_a_turn_that_was_ended_without_items_is_not_begun_again() -> None:
    store = MemoryStore()
    async with StoredSession("s", store).turn("go", key="k") as turn:
        await turn.end()
    async with StoredSession("s", store).turn("go", key="k") as turn:
        assert turn.answer == []


async def test_the_answer_holds_no_items_of_another_turn() -> None:
    store = MemoryStore()
    await _failed(store, "k")
    async with StoredSession("s", store).turn("else") as turn:
        await turn.add([answer("to something else")])
    await _run(store, "k", Script([answer("mine")]))
    async with StoredSession("s", store).turn("go", key="k") as again:
        assert again.answer == [answer("mine")]


async def test_a_question_that_was_popped_is_asked_again() -> None:
    store = MemoryStore()
    await _failed(store, "k")
    await StoredSession("s", store).pop_item()
    await _run(store, "k", Script([answer("done")]))
    assert await _items(store) == [user("go"), answer("done")]


@pytest.mark.parametrize("branch", ["main", "other"])
async def test_a_cleared_session_has_forgotten_its_runs(branch: str) -> None:
    session = StoredSession("s", MemoryStore(), branch=branch)
    async with session.turn("go", key="k") as turn:
        await turn.add([answer("before")])
    async with session.turn("clear it"):
        await session.clear_session()
    async with session.turn("go", key="k") as turn:
        assert turn.answer is None


@pytest.mark.parametrize("is_answered", [True, False], ids=["answered", "at work"])
async def test_work_on_an_earlier_question_is_not_taken_for_the_own(*, is_answered: bool) -> None:
    """As in a chat of several people: the first is taken up when the second has asked."""
    store = MemoryStore()

    @function_tool
    def look() -> str:
        return "seen"

    class Working(Script):
        """Asks for a tool, and then the connection breaks."""

        async def respond(self, request: Any) -> Any:
            if not self.responses:
                raise ConnectionError
            return await super().respond(request)

    async def ask(name: str, model: Any) -> str:
        session = StoredSession("s", store)
        agent = Agent("A", model=model, tools=[look])
        return str((await Runner.run(agent, name, session=session, key=name)).final_output)

    for name in ("one", "two"):
        with pytest.raises(ConnectionError):
            await ask(name, Broken(1))
    if is_answered:
        assert await ask("one", Script([answer("1")])) == "1"
    else:
        with pytest.raises(ConnectionError):
            await ask("one", Working([call("look")]))
    assert await ask("two", Script([answer("2")])) == "2"
    assert await ask("two", Script([])) == "2"
    assert await ask("one", Script([answer("1")])) == "1"
