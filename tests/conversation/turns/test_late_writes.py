"""Late writes of a run that was taken for dead."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.conversation.turns.leases import SHORT, Gate, apart, names, turn_taken
from tests.sample_items import answer, user
from turnlog import Agent, LeaseLost, ModelRequest, ModelResponse, RunConfig, Runner
from turnlog.changes import Change, Committed
from turnlog.conversation.session import StoredSession
from turnlog.items.json import Item
from turnlog.records import Log, Records
from turnlog.store import Layer, Store
from turnlog.stores.memory import MemoryStore

pytestmark = [pytest.mark.anyio, pytest.mark.stores("memory", "sqlite")]


class Hanging(Gate):
    """A disk that hangs: the conversation's writes wait at the gate, renewals fail."""

    async def commit(self, session: str, changes: Sequence[Change], **options: Any) -> Committed:
        if names(changes) == {":lease"} and not self.open.is_set():
            raise OSError("the disk hangs")
        return await super().commit(session, changes, **options)


class Reading(Layer):
    """Calls `then` once, behind the first read of the conversation."""

    def __init__(self, inner: Store, then: Any) -> None:
        super().__init__(inner)
        self._then = then

    async def read(self, log: Log, **options: Any) -> Records:
        records = await super().read(log, **options)
        if log.name == "main" and self._then is not None:
            then, self._then = self._then, None
            await then()
        return records


class Told:
    """A model that remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[list[Item]] = []

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.shown.append(request.items)
        return ModelResponse([answer("new")])


async def late_answer(gate: Hanging, popped: bool) -> str:
    """A run whose answer hangs at the gate; how it ended."""
    session = StoredSession("session", gate)
    try:
        async with session.turn("old question", lease_seconds=SHORT) as turn:
            if popped:
                await turn.add([answer("draft")])
                await session.pop_item()
            gate.open.clear()
            await turn.add([answer("old")])
    except LeaseLost:
        return "lost"
    return "stored"


@pytest.mark.parametrize("popped", [False, True])
@pytest.mark.parametrize("moment", ["before the next reads", "between", "after its question"])
async def test_a_late_write_is_refused_or_seen(
    any_store: Store, moment: str, *, popped: bool
) -> None:
    """No run answers to a view that lacks what stands before its question."""
    gate = Hanging(any_store, Log("session"))
    late = asyncio.create_task(late_answer(gate, popped))
    await gate.came.wait()
    await asyncio.sleep(2.5 * SHORT)
    outcome = ""

    async def let_go() -> None:
        nonlocal outcome
        gate.open.set()
        outcome = await late

    model = Told()
    next_store = Reading(any_store, let_go if moment == "between" else None)
    session = StoredSession("session", next_store)
    if moment == "before the next reads":
        await let_go()
    await apart(_run(model, session))
    if moment == "after its question":
        await let_go()
    items = await session.get_items()
    assert (answer("old") in items) == (outcome == "stored")
    assert items[-1] == answer("new")
    assert items[: items.index(user("new question")) + 1] == model.shown[-1]
    if moment == "after its question":
        assert outcome == "lost"


async def _run(model: Told, session: StoredSession) -> None:
    config = RunConfig(lease_seconds=10)
    await Runner.run(Agent("A", model=model), "new question", session=session, run_config=config)


async def test_who_adds_between_the_view_and_the_question_is_seen(any_store: Store) -> None:
    """A webhook's note; and the callback is asked for each view that was read."""
    note: Item = {"role": "developer", "content": "the customer has moved"}
    asked: list[int] = []

    async def add() -> None:
        await apart(StoredSession("session", any_store).add_items([note]))

    def callback(history: list[Item], new: list[Item]) -> list[Item]:
        asked.append(len(history))
        return history + new

    model, session = Told(), StoredSession("session", Reading(any_store, add))
    config = RunConfig(session_input_callback=callback)
    await Runner.run(Agent("A", model=model), "q", session=session, run_config=config)
    assert model.shown == [[note, user("q")]]
    assert await session.get_items() == [note, user("q"), answer("new")]
    assert asked == [0, 1]


@pytest.mark.parametrize("layered", ["outer", "inner"])
async def test_a_turn_under_way_is_one_with_and_without_a_layer(
    any_store: Store, layered: str
) -> None:
    """A call under way is not interrupted, whichever handle it is seen through."""
    call: Item = {"type": "function_call", "call_id": "1", "name": "x", "arguments": "{}"}
    outer, inner = StoredSession("session", any_store), StoredSession("session", any_store)
    layer = Marking(any_store)
    (outer if layered == "outer" else inner).store = layer
    async with outer.turn("go") as turn:
        await turn.add([call])
        assert await inner.view() == [user("go")], "a call under way is left out"
        async with turn_taken(inner, "reject") as within:
            await within.add_items([{"role": "developer", "content": "inside"}])
    assert layer.writes == (2 if layered == "outer" else 1), "each writes through its own handle"
    assert len(await outer.get_items()) == 3


async def test_a_callback_that_writes_through_a_layer_writes_through_it(any_store: Store) -> None:
    """Also if that is what takes the lease."""
    layer = Marking(any_store)
    note: Item = {"role": "developer", "content": "noted"}

    async def callback(history: list[Item], new: list[Item]) -> list[Item]:
        await StoredSession("session", layer).add_items([note])
        return history + new

    session = StoredSession("session", any_store)
    async with session.turn("go", callback=callback) as turn:
        await turn.add([answer("done")])
    assert layer.writes == 1
    assert await session.get_items() == [note, user("go"), answer("done")]


class Marking(Layer):
    """Counts writes to the conversation, as encryption would change them."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.writes = 0

    async def commit(self, session: str, changes: Sequence[Change], **options: Any) -> Committed:
        self.writes += "main" in names(changes)
        return await super().commit(session, changes, **options)


async def test_layers_are_in_the_same_place(any_store: Store) -> None:
    assert Layer(Layer(any_store)).identity == any_store.identity
    assert Layer(any_store).identity != MemoryStore().identity
