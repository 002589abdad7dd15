"""Appends to a conversation at OpenAI: under faults, each item is stored once and in order."""

import asyncio
import pickle
import threading
from typing import Any, Literal

import pytest
from openai import APIStatusError, BadRequestError, InternalServerError

from tests.providers.conversations_server import Fault, Server
from tests.sessions.conversations.conversations import Make, numbered, texts
from turnlog import AsyncOpenAI, IncompleteAppend, LeaseLost, OpenAIConversationsSession
from turnlog.sessions.conversations import retrying
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

KINDS: list[int | Literal["cut", "late"]] = [500, 503, 429, 408, "cut", "late"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST", 0.01)


def stored(server: Server) -> list[str]:
    return texts(server.only.items)


@pytest.mark.slow
@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("way", ["plain", "key", "key and store"])
async def test_a_fault_at_every_request(
    make: Make, client: AsyncOpenAI, server: Server, kind: Any, at: int, is_done: bool, way: str
) -> None:
    conversation = (await client.conversations.create(items=[])).id
    session = make(conversation, store=MemoryStore() if way == "key and store" else None)
    server.faults = {1 + at: Fault(kind, is_done)}
    more = {} if way == "plain" else {"key": "k"}
    await session.add_items(numbered(100), **more)
    assert stored(server) == [str(n) for n in range(100)]
    if more:
        await session.add_items(numbered(100), **more)
        assert len(stored(server)) == 100
        with pytest.raises(ValueError, match="other contents"):
            await session.add_items(numbered(99), **more)


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("kind", [500, "cut"])
async def test_a_fault_at_every_request_of_the_first_write(
    session: OpenAIConversationsSession, server: Server, kind: Any, at: int
) -> None:
    """A lost answer to the creation leaves an orphan, which is another conversation."""
    server.faults = {at: Fault(kind, is_done=True)}
    await session.add_items(numbered(100))
    assert texts(server.conversations[session.session_id].items) == [str(n) for n in range(100)]
    assert len(server.conversations) == (2 if at == 0 else 1)


async def test_the_look_itself_may_fail(make: Make, server: Server, client: AsyncOpenAI) -> None:
    session = make((await client.conversations.create(items=[])).id)
    server.faults = {1: Fault(500, is_done=True), 2: Fault("cut", is_done=True)}
    server.read_faults = dict.fromkeys(range(1, 4), Fault(503))
    await session.add_items(numbered(40))
    assert stored(server) == [str(n) for n in range(40)]


async def test_equal_items_in_a_row_are_all_stored(
    session: OpenAIConversationsSession, server: Server
) -> None:
    await session.add_items([{"role": "user", "content": "again"}])
    server.fail(Fault("cut"))
    await session.add_items([{"role": "user", "content": "again"}] * 45)
    assert stored(server) == ["again"] * 46


async def test_a_failure_in_the_middle_says_what_is_left(make: Make, server: Server) -> None:
    session = make(patience=0.05)
    await session.add_items(numbered(1))
    server.faults = dict.fromkeys(range(2, 100), Fault(500))
    with pytest.raises(IncompleteAppend) as caught:
        await session.add_items(numbered(50, 1))
    error = caught.value
    assert texts(error.stored) == [str(n) for n in range(1, 21)]
    assert [item["content"] for item in error.remaining] == [str(n) for n in range(21, 51)]
    assert isinstance(error.__cause__, InternalServerError)
    assert "sk-" not in repr(error)
    assert "'21'" not in repr(error) + str(error)
    server.faults.clear()
    await session.add_items(error.remaining)
    assert stored(server) == [str(n) for n in range(51)]


@pytest.mark.parametrize("is_done", [False, True])
async def test_what_is_left_can_be_taken_up_elsewhere(
    make: Make, server: Server, is_done: bool
) -> None:
    """Its first request may have been carried out: nobody could look."""
    session = make(patience=0.05)
    await session.add_items(numbered(1))
    server.faults = {2: Fault("cut", is_done)}
    server.read_faults = dict.fromkeys(range(1, 100), Fault(500))
    server.requests.clear()
    with pytest.raises(IncompleteAppend) as caught:
        await session.add_items(numbered(49, 1))
    server.read_faults.clear()
    left = pickle.loads(pickle.dumps(caught.value)).remaining  # noqa: S301 - our own
    assert len(caught.value.stored) + len(left) == 49
    other = make(session.session_id)
    assert len(await other.get_items()) == 21 + 20 * is_done
    await other.add_items(left)
    assert stored(server) == [str(n) for n in range(50)]


async def test_the_clients_error_comes_out_if_nothing_is_stored(make: Make, server: Server) -> None:
    session = make(patience=0.05)
    await session.add_items(numbered(1))
    server.faults = dict.fromkeys(range(1, 100), Fault(503))
    with pytest.raises(InternalServerError):
        await session.add_items(numbered(50, 1))
    assert stored(server) == ["0"]


async def test_a_refusal_is_final(session: OpenAIConversationsSession, server: Server) -> None:
    with pytest.raises(BadRequestError):
        await session.add_items([{"type": "no such thing"}])
    assert not server.conversations
    await session.add_items(numbered(1))
    with pytest.raises(IncompleteAppend) as caught:
        await session.add_items([*numbered(25), {"type": "no such thing"}])
    assert isinstance(caught.value.__cause__, APIStatusError)
    assert len(caught.value.stored) == 20
    assert server.count("GET") == 0 or stored(server) == ["0", *map(str, range(20))]


async def test_the_server_says_how_long_to_wait(
    session: OpenAIConversationsSession, server: Server
) -> None:
    loop = asyncio.get_running_loop()
    server.faults = {0: Fault(429, headers={"retry-after": "0.4"})}
    start = loop.time()
    await session.add_items(numbered(1))
    assert loop.time() - start >= 0.4


async def test_a_key_is_continued_after_a_failure(make: Make, server: Server) -> None:
    session = make(patience=0.05)
    await session.add_items(numbered(1))
    server.faults = {3: Fault("cut", is_done=True)}
    server.read_faults = dict.fromkeys(range(1, 100), Fault(500))
    with pytest.raises(IncompleteAppend):
        await session.add_items(numbered(60, 1), key="k")
    server.read_faults.clear()
    for _ in range(2):
        await session.add_items(numbered(60, 1), key="k")
        assert stored(server) == [str(n) for n in range(61)]


async def test_a_key_in_a_store_is_continued_by_another_process(make: Make, server: Server) -> None:
    store = MemoryStore()
    session = make(patience=0.05, store=store)
    await session.add_items(numbered(1))
    server.faults = {3: Fault("cut", is_done=True)}
    server.read_faults = dict.fromkeys(range(1, 100), Fault(500))
    with pytest.raises(IncompleteAppend):
        await session.add_items(numbered(60, 1), key="k")
    server.read_faults.clear()
    for _ in range(2):
        await make(session.session_id, store=store).add_items(numbered(60, 1), key="k")
        assert stored(server) == [str(n) for n in range(61)]
    logs = [head.log.name for head in await store.logs(session.session_id)]
    assert not [name for name in logs if name.startswith(":writing")]


@pytest.mark.parametrize("count", [5, 20, 45])
async def test_a_first_write_with_a_key_in_a_store(make: Make, server: Server, count: int) -> None:
    store = MemoryStore()
    session = make(store=store)
    for _ in range(2):
        await session.add_items(numbered(count), key="k")
    await make(session.session_id, store=store).add_items(numbered(count), key="k")
    assert stored(server) == [str(n) for n in range(count)]


@pytest.mark.parametrize("again", ["same", "other"])
async def test_a_creation_with_a_key_that_fails_behind_the_first_request(
    make: Make, server: Server, again: str
) -> None:
    """Nothing but the first 20 items is there, and no look could be made at them."""
    store = MemoryStore()
    session = make(store=store, patience=0.05)
    server.read_faults = dict.fromkeys(range(100), Fault(500))
    with pytest.raises(IncompleteAppend) as caught:
        await session.add_items(numbered(60), key="k")
    assert len(caught.value.stored) == 20
    server.read_faults.clear()
    if again == "other":
        session = make(session.session_id, store=store)
    with pytest.raises(ValueError, match="other contents"):
        await session.add_items(numbered(59), key="k")
    for _ in range(2):
        await session.add_items(numbered(60), key="k")
        assert stored(server) == [str(n) for n in range(60)]


async def test_a_creation_with_a_key_when_the_store_fails_then(
    make: Make, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    session = make(store=store)

    async def fail(*_: Any, **__: Any) -> None:
        raise OSError("no store today")

    with monkeypatch.context() as broken:
        broken.setattr(store, "commit", fail)
        with pytest.raises(OSError, match="no store"):
            await session.add_items(numbered(60), key="k")
    await session.add_items(numbered(60), key="k")
    assert stored(server) == [str(n) for n in range(60)]


async def test_a_write_that_stood_still_does_not_go_on(make: Make, server: Server) -> None:
    """Another process has taken over the key, and maybe stored the rest."""
    store = MemoryStore()
    session = make(store=store)
    await session.add_items(numbered(1))
    loop = asyncio.get_running_loop()

    def lose(method: str, path: str) -> None:
        if server.count("POST") == 3:
            deleted = store.delete(session.session_id)
            asyncio.run_coroutine_threadsafe(deleted, loop).result(5)

    server.before = lose
    with pytest.raises(IncompleteAppend) as caught:
        await session.add_items(numbered(60, 1), key="k")
    assert isinstance(caught.value.__cause__, LeaseLost)
    assert stored(server) == [str(n) for n in range(41)]


@pytest.mark.parametrize("with_store", [False, True])
async def test_the_rest_goes_on_without_a_key(make: Make, server: Server, with_store: bool) -> None:
    session = make(patience=0.05, store=MemoryStore() if with_store else None)
    await session.add_items(numbered(1))
    server.faults = dict.fromkeys(range(2, 100), Fault(500))
    with pytest.raises(IncompleteAppend) as caught:
        await session.add_items(numbered(50, 1), key="k")
    server.faults.clear()
    with pytest.raises(ValueError, match="without a key"):
        await session.add_items(caught.value.remaining, key="k")
    await session.add_items(caught.value.remaining)
    assert stored(server) == [str(n) for n in range(51)]


@pytest.mark.parametrize("count", [1, 45])
async def test_an_answer_without_items_is_looked_at(
    session: OpenAIConversationsSession,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
) -> None:
    """A proxy may answer 200 with something else, although the request was carried out."""
    await session.add_items(numbered(1))
    answer = server.answer

    def empty(method: str, path: list[str], query: Any, body: Any) -> Any:
        answered = answer(method, path, query, body)
        return {} if method == "POST" else answered

    monkeypatch.setattr(server, "answer", empty)
    await session.add_items(numbered(count, 1))
    assert stored(server) == [str(n) for n in range(count + 1)]


async def test_what_the_last_look_finds_is_stored(make: Make, server: Server) -> None:
    session = make(patience=0)
    await session.add_items(numbered(1))
    server.fail(Fault("cut", is_done=True))
    await session.add_items(numbered(5, 1))
    assert stored(server) == [str(n) for n in range(6)]


async def test_two_processes_with_one_key(make: Make, server: Server) -> None:
    store = MemoryStore()
    first = make(store=store)
    await first.add_items(numbered(1))
    others = [make(first.session_id, store=store) for _ in range(3)]
    await asyncio.gather(*(each.add_items(numbered(60, 1), key="k") for each in others))
    assert stored(server) == [str(n) for n in range(61)]


async def test_a_cancelled_write_waits_and_stops(
    session: OpenAIConversationsSession, server: Server
) -> None:
    await session.add_items(numbered(1))
    server.faults = {2: Fault("cut", is_done=True)}
    reached, cancelled = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def before(method: str, path: str) -> None:
        if server.count("POST") == 3:
            loop.call_soon_threadsafe(reached.set)
            cancelled.wait()

    server.before = before
    task = asyncio.create_task(session.add_items(numbered(80, 1)))
    await reached.wait()
    task.cancel()
    await asyncio.sleep(0)
    cancelled.set()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    error = caught.value.__cause__
    assert isinstance(error, IncompleteAppend)
    server.faults.clear()
    await session.add_items(error.remaining)
    assert stored(server) == [str(n) for n in range(81)]
