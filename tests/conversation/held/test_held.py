"""Held blocks beside runs and turns of Turnlog, and what they do with odd things."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.conversation.turns.leases import apart
from tests.fake_models import Broken, Script
from tests.sample_items import answer, call, output, user
from turnlog import Agent, LeaseLost, Runner, SessionBusy, StoredSession
from turnlog.conversation.turns.lease import Lease
from turnlog.items.json import Item
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def session() -> StoredSession:
    return StoredSession("session", MemoryStore())


async def _lease_is_free(session: StoredSession) -> bool:
    heads = {head.log.name: head.length for head in await session.store.logs("session")}
    return not heads.get(":lease") and not heads.get(":queue")


# Runs and turns of ours inside


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_run_of_ours_inside_is_part_of_the_block(
    session: StoredSession, key: str | None
) -> None:
    with pytest.raises(ConnectionError):
        async with session.held(key=key):
            await Runner.run(Agent("A", model=Broken(1)), "go", session=session)
    model = Script([answer("done")])
    async with session.held(key=key):
        result = await Runner.run(Agent("A", model=model), "go", session=session)
    assert result.final_output == "done"
    assert await session.get_items() == [user("go"), answer("done")]
    assert await _lease_is_free(session)
    async with session.held(key="k") as held:
        assert (held.answer == [answer("done")]) == (key == "k")


async def test_a_run_of_ours_that_gives_no_answer_ends_the_request(session: StoredSession) -> None:
    async with session.held(key="k"):
        await Runner.run(Agent("A", model=Script([])), "go", session=session)
    async with session.held(key="k") as held:
        assert held.answer == []


async def test_a_run_of_ours_with_another_input_under_the_key(session: StoredSession) -> None:
    with pytest.raises(ConnectionError):
        async with session.held(key="k"):
            await Runner.run(Agent("A", model=Broken(1)), "go", session=session)
    await session.add_items([user("else")])
    for text in ("else", "something new"):
        with pytest.raises(ValueError, match="own key"):
            async with session.held(key="k"):
                await Runner.run(Agent("A", model=Script([answer("no")])), text, session=session)
    assert await session.get_items() == [user("go"), user("else")]
    assert await _lease_is_free(session)


async def test_a_run_of_ours_in_a_block_that_is_a_replay(session: StoredSession) -> None:
    async with session.held(key="k"):
        await session.add_items([user("go"), answer("done")])
    async with session.held(key="k"):
        with pytest.raises(ValueError, match="was answered before"):
            await Runner.run(Agent("A", model=Script([answer("again")])), "go", session=session)
    assert await session.get_items() == [user("go"), answer("done")]
    assert await _lease_is_free(session)


async def test_turns_and_blocks_inside_are_part_of_it(session: StoredSession) -> None:
    async with session.held(key="k"):
        async with session.held("reject") as inner:
            assert not inner.is_replay
            await session.add_items([user("one"), answer("1")])
        async with session.turn("two") as turn:
            assert turn.input == [user("one"), answer("1"), user("two")]
            await turn.add([answer("2")])
        with pytest.raises(ValueError, match="has no key of its own"):
            async with session.held(key="other"):
                pytest.fail("it began")
    async with session.held(key="k") as held:
        assert held.answer == [answer("1"), user("two"), answer("2")]
        assert held.text == "2"
    async with session.turn("three") as turn, session.held() as held:
        await held.session.add_items([answer("3")])
        assert await session.get_items(2) == [user("three"), answer("3")]


async def test_a_block_inside_a_run_of_ours_that_outlives_it(session: StoredSession) -> None:
    outer = session.held()
    await outer.__aenter__()
    inner = session.held()
    await inner.__aenter__()
    await outer.__aexit__(None, None, None)
    assert not await _lease_is_free(session)
    await inner.__aexit__(None, None, None)
    assert await _lease_is_free(session)


# What is added


async def test_a_loop_of_ones_own_that_adds_question_and_answer_at_once(
    session: StoredSession,
) -> None:
    with suppress(OSError):
        async with session.held(key="k"):
            await session.add_items([user("go")])
            raise OSError
    async with session.held(key="k"):
        assert await session.get_items() == []
        await session.add_items([user("go"), call("look"), output("seen"), answer("done")])
    async with session.held(key="k") as held:
        assert held.answer == [call("look"), output("seen"), answer("done")]
    assert (await session.get_items()).count(user("go")) == 1


@pytest.mark.parametrize("key", [None, "k"])
async def test_an_input_of_several_messages(session: StoredSession, key: str | None) -> None:
    given = [user("a page"), {"role": "developer", "content": "be brief"}, user("sum it up")]
    for broken in (True, True, False):
        with suppress(OSError):
            async with session.held(key=key):
                shown = await session.get_items()
                await session.add_items(given)
                if broken:
                    raise OSError
                await session.add_items([answer("done")])
    assert shown == [given[1]]  # a note, which is no part of a question
    assert await session.get_items() == [*given, answer("done")]


async def test_another_question_behind_one_that_was_left(session: StoredSession) -> None:
    with suppress(OSError):
        async with session.held():
            await session.add_items([user("one")])
            raise OSError
    async with session.held():
        assert await session.get_items() == []
        await session.add_items([user("two")])
        await session.add_items([answer("2")])
    assert await session.get_items() == [user("one"), user("two"), answer("2")]


async def test_a_key_whose_question_is_not_the_last_one(session: StoredSession) -> None:
    with suppress(OSError):
        async with session.held(key="k"):
            await session.add_items([user("one")])
            await session.add_items([call("look")])
            raise OSError
    async with session.held():
        await session.add_items([user("two"), answer("2")])
    async with session.held(key="k"):
        assert await session.get_items() == [user("two"), answer("2")]
        assert await session.get_items(5) == [user("two"), answer("2")]
        session.session_settings = {"max_turns": 5}
        assert await session.get_items() == [user("two"), answer("2")]
        session.session_settings = None
        await session.add_items([user("one")])
        await session.add_items([answer("1")])
    async with session.held(key="k") as held:
        assert held.answer == [call("look"), answer("1")]
    items = await session.get_items()
    assert items == [user("one"), call("look"), user("two"), answer("2"), answer("1")]


@pytest.mark.parametrize("way", ["answered", "broken off", "at work"])
async def test_the_answer_to_an_earlier_question_behind_ones_own(
    session: StoredSession, way: str
) -> None:
    """As in a chat of several people: the first is taken up when the second has asked."""
    done = {"answered": answer("1"), "broken off": answer("1"), "at work": call("look")}[way]
    for name in ("one", "two", "one"):
        with suppress(OSError):
            async with session.held(key=name) as held:
                was_asked = user("two") in await StoredSession("session", session.store).view()
                await session.add_items([user(name)])
                if was_asked:
                    await session.add_items([done])
                if not was_asked or way != "answered":
                    raise OSError
    async with session.held(key="two") as held:
        assert not held.is_replay
        # Without an answer, the first waits as well.
        shown = [] if way == "at work" else [user("one"), done]
        assert await session.get_items() == shown
        await session.add_items([user("two"), answer("2")])
    async with session.held(key="two") as held:
        assert held.answer == [answer("2")]
    assert await session.get_items() == [user("one"), user("two"), done, answer("2")]


async def test_windows_and_limits_without_the_question(session: StoredSession) -> None:
    for n in range(3):
        await session.add_items([user(f"{n}"), answer(f"a{n}")])
    await session.add_items([user("left")])
    async with session.held():
        session.session_settings = {"max_turns": 2}
        assert await session.get_items() == [user("1"), answer("a1"), user("2"), answer("a2")]
        session.session_settings = {"limit": 1}
        assert await session.get_items() == [answer("a2")]
        assert len(await session.get_items(-1)) == 6


async def test_outputs_of_a_run_that_is_resumed_are_stored_once(session: StoredSession) -> None:
    """As behind an approval: the block adds no question."""
    async with session.held(key="ask"):
        await session.add_items([user("go")])
        await session.add_items([call("look")])
    async with session.held(key="ask") as held:
        assert not held.is_replay  # it waits for an approval
    for broken in (True, False):
        with suppress(OSError):
            async with session.held(key="approve"):
                await session.add_items([output("seen")])
                if broken:
                    raise OSError
                await session.add_items([answer("done")])
    assert await session.get_items() == [user("go"), call("look"), output("seen"), answer("done")]
    async with session.held(key="approve") as held:
        assert held.answer == [answer("done")]


async def test_a_turn_that_ends_with_an_output_is_over(session: StoredSession) -> None:
    async with session.held(key="k"):
        await session.add_items([user("go"), call("look"), output("seen")])
    async with session.held(key="k") as held:
        assert (held.answer, held.text) == ([call("look"), output("seen")], "")
    async with session.held():
        assert len(await session.get_items()) == 3  # and nothing waits


async def test_a_write_with_a_key_of_its_own(session: StoredSession) -> None:
    for _ in range(2):
        async with session.held(key="k") as held:
            if not held.is_replay:
                await session.add_items([user("go")], key="q")
                await session.add_items([answer("done")], key="a")
    assert held.answer == [answer("done")]
    with pytest.raises(ValueError, match="own key"):
        async with session.held():
            await session.add_items([user("else")], key="q")


async def test_a_question_that_is_popped_can_be_asked_again(session: StoredSession) -> None:
    async with session.held(key="k"):
        await session.add_items([user("go")])
        assert await session.pop_item() == user("go")
        await session.add_items([user("go")])
        await session.add_items([answer("done")])
    assert await session.get_items() == [user("go"), answer("done")]


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "", "🙂" * 10_000])
async def test_odd_inputs_have_digests(session: StoredSession, text: str) -> None:
    for other in (text, text + "!"):
        with suppress(OSError, ValueError):
            async with session.held(key="k"):
                await session.add_items([user(text)])
                raise OSError
        with pytest.raises(ValueError, match="own key"):
            async with session.held(key="k"):
                await session.add_items([user(other + "?")])
    assert await session.get_items() == [user(text)]


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_question_that_is_asked_twice_in_one_block(
    session: StoredSession, key: str | None
) -> None:
    """As by a retry inside of the block. Once it is answered, it is a new one."""
    async with session.held(key=key):
        for _ in range(3):
            await session.add_items([user("go")])
        await session.add_items([call("look"), output("seen")])
        await session.add_items([user("go"), answer("done")])
        await session.add_items([user("go"), answer("again")])
    items = await session.get_items()
    assert items.count(user("go")) == 2
    assert len(items) == 6


async def test_notes_are_no_input(session: StoredSession) -> None:
    note: Item = {"role": "developer", "content": "it is Monday"}
    for broken in (True, False):
        with suppress(OSError):
            async with session.held(key="k"):
                await session.add_items([note])
                await session.add_items([user("go")])
                if broken:
                    raise OSError
                await session.add_items([answer("done")])
    assert (await session.get_items()).count(user("go")) == 1


# How it is entered and left


async def test_a_block_that_raises_leaves_the_lease_free(session: StoredSession) -> None:
    async def enter() -> None:
        async with session.held(key="k"):
            await session.add_items([user("go")])
            raise KeyError("x")

    with pytest.raises(KeyError):
        await enter()
    assert await _lease_is_free(session)
    assert await session.get_items() == [user("go")]


async def test_a_block_that_is_cancelled(session: StoredSession) -> None:
    entered = asyncio.Event()

    async def stays() -> None:
        async with session.held():
            await session.add_items([user("go")])
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(apart(stays()))
    await entered.wait()
    waiting = asyncio.create_task(apart(stays()))
    await asyncio.sleep(0.02)
    waiting.cancel()
    task.cancel()
    await asyncio.wait([task, waiting])
    async with asyncio.timeout(60):
        # `apart` runs it in a task of its own, which is cancelled with it
        while not await _lease_is_free(session):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


async def test_a_block_whose_lease_another_run_took(
    session: StoredSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def other() -> None:
        async with session.held():
            await session.add_items([user("go"), answer("theirs")])

    with monkeypatch.context() as patch:  # the process was stopped
        patch.setattr(Lease, "_schedule_renewal", lambda _: None)
        holding = session.held(lease_seconds=0.1, key="k")
        await holding.__aenter__()
    await session.add_items([user("go")])
    await apart(other())
    with pytest.raises(LeaseLost):
        await session.add_items([answer("late")])
    await holding.__aexit__(None, None, None)
    assert await session.get_items() == [user("go"), answer("theirs")]
    assert await _lease_is_free(session)


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"policy": "off"}, ValueError, "would hold nothing: leave the block out"),
        ({"policy": "wait"}, ValueError, "must be one of"),
        ({"policy": "branch", "key": "k"}, ValueError, "needs the policy"),
        ({"key": 5}, TypeError, "key must be a str"),
        ({"key": ""}, ValueError, "key is empty: give the id"),
        ({"lease_seconds": 0}, ValueError, "must be positive"),
    ],
    ids=["off", "policy", "branch", "number", "empty", "seconds"],
)
def test_arguments_that_make_no_sense(
    session: StoredSession, wrong: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        session.held(**wrong)


async def test_a_block_is_entered_once(session: StoredSession) -> None:
    holding = session.held()
    async with holding:
        pass
    with pytest.raises(RuntimeError, match="entered before"):
        await holding.__aenter__()


async def test_a_key_under_reject(session: StoredSession) -> None:
    async def enter() -> None:
        async with session.held("reject", key="k"):
            pytest.fail("two at once")

    async with session.held("reject", key="k"):
        with pytest.raises(SessionBusy):
            await apart(enter())
