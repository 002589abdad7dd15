"""OpenAIConversationsSession: reading, popping, clearing, metadata, and what it can't do."""

import asyncio
import subprocess
import sys
import threading
from typing import Any

import agents
import pytest
from openai import AuthenticationError, NotFoundError

import turnlog.sync
from tests.providers.conversations_server import Fault, Server
from tests.sessions.conversations.conversations import (
    Make,
    client,
    make,
    numbered,
    server,
    session,
    texts,
)
from turnlog import (
    About,
    AsyncOpenAI,
    NotSupported,
    OpenAIConversationsSession,
    PopUncertain,
    SessionSettings,
    StoredSession,
    memory,
)
from turnlog.cli.ls import _heads
from turnlog.cli.stores import Access
from turnlog.conversation.usage.usage import Usage
from turnlog.sessions.conversations import retrying
from turnlog.stores.memory import MemoryStore
from turnlog.stores.sqlite import SQLiteStore

__all__ = ["client", "make", "server", "session"]

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST", 0.01)


# Forms of the constructor, and the id


async def test_both_forms(client: AsyncOpenAI) -> None:
    for made in (
        OpenAIConversationsSession("conv_1", client),
        OpenAIConversationsSession(conversation_id="conv_1", openai_client=client),
        memory.OpenAIConversationsSession("conv_1", client=client),
    ):
        assert made.session_id == "conv_1"
        assert repr(made) == "OpenAIConversationsSession('conv_1')"
    with pytest.raises(TypeError, match="only one"):
        OpenAIConversationsSession(client=client, openai_client=client)
    assert OpenAIConversationsSession(client=client, settings={"limit": 3}).session_settings.limit


async def test_the_id_comes_with_the_first_write(
    session: OpenAIConversationsSession, server: Server
) -> None:
    with pytest.raises(ValueError, match=r"add_items\(\) with a non-empty list"):
        assert session.session_id
    assert await session.get_items() == []
    assert await session.get_items(limit=0) == []
    assert await session.pop_item() is None
    await session.clear_session()
    await session.add_items([])
    assert not server.requests
    await session.add_items(numbered(3))
    assert [each[:2] for each in server.requests] == [("POST", "/v1/conversations")]
    assert session.session_id == server.only.id
    session.session_id = "conv_other"
    assert session.session_id == "conv_other"
    with pytest.raises(NotFoundError):
        await session.get_items()


async def test_the_default_client(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    session = OpenAIConversationsSession()
    await session.add_items(numbered(2))
    assert texts(await session.get_items()) == ["0", "1"]


# Reading


async def test_windows_and_pages(session: OpenAIConversationsSession, server: Server) -> None:
    await session.add_items(numbered(1000))
    server.requests.clear()
    assert texts(await session.get_items()) == [str(n) for n in range(1000)]
    assert len(server.requests) == 10
    assert texts(await session.get_items(3)) == ["997", "998", "999"]
    assert texts(await session.get_items(limit=150)) == [str(n) for n in range(850, 1000)]
    assert len(await session.get_items(-1)) == 1000
    session.session_settings = {"limit": 2}
    assert texts(await session.get_items()) == ["998", "999"]
    session.session_settings = SessionSettings(max_turns=4)
    assert texts(await session.get_items()) == ["996", "997", "998", "999"]
    assert texts(await session.view(2)) == ["998", "999"]


CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}


async def test_ids_and_private_fields(session: OpenAIConversationsSession, server: Server) -> None:
    private = {"provider_data": {"model": "x"}, "_agents_tool_title": "F", "created_by": "me"}
    said = {"type": "output_text", "text": "Hi", "annotations": []}
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"}
    await session.add_items(
        [
            {"role": "user", "content": "half an emoji \ud83d"},
            {"type": "reasoning", "id": "__fake_id__", "summary": []},
            {**reasoning, **private},
            {"type": "message", "role": "assistant", "id": "msg_theirs", "content": [said]}
            | {"status": "completed"},
            {**CALL, "id": "__fake_id__", **private},
            {"type": "function_call_output", "call_id": "c1", "output": "1", "id": "x"},
        ]
    )
    body = server.requests[0][2]["items"]
    assert [item["type"] for item in body[1:]] == [
        "reasoning",
        "message",
        "function_call",
        "function_call_output",
    ]
    assert [item.get("id") for item in body] == [None, "rs_1", None, None, None]
    got = await session.get_items()
    assert [item.get("id") for item in got] == [None, "rs_1", None, None, None]
    assert got[1]["encrypted_content"] == "sealed"
    assert "status" not in got[2]
    other = OpenAIConversationsSession(client=session._remote._clients.here())
    await other.add_items(got)  # what is read can be sent


async def test_images_are_read_whole(session: OpenAIConversationsSession) -> None:
    image = {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"}
    await session.add_items([{"role": "user", "content": [image]}])
    [item] = await session.get_items()
    assert item["content"][0]["image_url"] == image["image_url"]


# Popping


async def test_pop(session: OpenAIConversationsSession, server: Server) -> None:
    await session.add_items(numbered(2))
    for text in ("1", "0"):
        item = await session.pop_item()
        assert item
        assert texts([item]) == [text]
        assert "id" not in item
    assert await session.pop_item() is None


async def test_another_took_it(make: Make, server: Server) -> None:
    session = make()
    await session.add_items(numbered(3))

    def take(method: str, path: str) -> None:
        if method == "DELETE":
            server.before = lambda *_: None
            server.only.items.pop()

    server.before = take
    item = await session.pop_item()
    assert item
    assert texts([item]) == ["1"]
    assert texts(server.only.items) == ["0"]


@pytest.mark.parametrize("kind", [500, 429, "cut"])
async def test_pop_under_faults(make: Make, server: Server, kind: Any) -> None:
    session = make()
    await session.add_items(numbered(3))
    server.fail(Fault(kind))
    item = await session.pop_item()
    assert item
    assert texts([item]) == ["2"]
    server.fail(Fault(kind, is_done=True))
    with pytest.raises(PopUncertain) as caught:
        await session.pop_item()
    assert "'1'" not in repr(caught.value)
    assert texts(server.only.items) == ["0"]


POPS = """
import asyncio, sys
from turnlog import AsyncOpenAI, OpenAIConversationsSession

async def main():
    async with AsyncOpenAI(api_key="k", base_url=sys.argv[1]) as client:
        session = OpenAIConversationsSession(sys.argv[2], client)
        while item := await session.pop_item():
            print(item["content"][0]["text"], flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_two_processes_pop(session: OpenAIConversationsSession, server: Server) -> None:
    await session.add_items(numbered(60))
    argv = [sys.executable, "-c", POPS, server.url, session.session_id]
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outs = await asyncio.gather(*(asyncio.to_thread(each.communicate) for each in processes))
    assert sorted(" ".join(out for out, _ in outs).split(), key=int) == [*map(str, range(60))]


# Clearing


@pytest.mark.parametrize("erase", [False, True])
async def test_clear(session: OpenAIConversationsSession, server: Server, erase: bool) -> None:
    await session.add_items(numbered(130))
    first = server.only
    await session.clear_session(erase=erase)
    assert first.is_deleted
    assert len(first.items) == (0 if erase else 130)
    assert session.conversation_id is None
    assert await session.get_items() == []
    await session.add_items(numbered(1))
    assert session.session_id != first.id


async def test_a_clear_that_fails_keeps_the_id(make: Make, client: AsyncOpenAI) -> None:
    session = make()
    await session.add_items(numbered(1))
    key, client.api_key = client.api_key, ""
    server_id = session.session_id
    client.api_key = key
    refusing = client.with_options(default_headers={"authorization": "none"})
    denied = OpenAIConversationsSession(server_id, refusing)
    with pytest.raises(AuthenticationError):
        await denied.clear_session()
    assert denied.session_id == server_id


# About


async def test_about(session: OpenAIConversationsSession, server: Server) -> None:
    await session.describe(title="Trip", tags=["a", "b"])
    assert not server.requests
    await session.add_items(numbered(1))
    server.only.metadata["theirs"] = "x"
    tags = [f"tag number {n}" for n in range(60)]
    about = await session.describe(owner="ada", tags=tags, hold=True)
    assert about == About("Trip", tuple(tags), "ada", hold=True) == await session.about()
    assert server.only.metadata["theirs"] == "x"
    assert (await session.describe(tags=[])).tags == ()
    assert set(server.only.metadata) == {"theirs", "title", "owner", "hold"}


async def test_what_metadata_can_not_hold(session: OpenAIConversationsSession) -> None:
    with pytest.raises(ValueError, match="512"):
        await session.describe(title="x" * 513)
    with pytest.raises(ValueError, match="16 pairs"):
        await session.describe(tags=["x" * 500] * 20)
    with pytest.raises(TypeError):
        await session.describe(name="x")  # type: ignore[call-arg]


# Copies


async def test_copies(make: Make, server: Server) -> None:
    stored = StoredSession("s", MemoryStore())
    await stored.add_items([*numbered(40), {"type": "reasoning", "id": "", "summary": []}])
    await stored.describe(title="Trip", owner="ada")
    session = make()
    assert await session.copy_from(stored) == 40
    assert texts(await session.get_items()) == [str(n) for n in range(40)]
    assert (await session.about()).owner == "ada"
    back = StoredSession("back", MemoryStore())
    assert await session.copy_to(back) == 40
    assert texts(await back.get_items()) == [str(n) for n in range(40)]
    assert (await back.about()).title == "Trip"
    assert await make().copy_to(back) == 0


async def test_a_copy_to_the_same_conversation_is_refused(
    make: Make, client: AsyncOpenAI, server: Server
) -> None:
    session = make()
    await session.add_items(numbered(3))
    theirs = agents.OpenAIConversationsSession(
        conversation_id=session.session_id, openai_client=client
    )
    others: list[Any] = [session, make(session.session_id), theirs]
    for other in others:
        with pytest.raises(ValueError, match="twice"):
            await session.copy_to(other)
        with pytest.raises(ValueError, match="twice"):
            await session.copy_from(other)
    assert len(server.only.items) == 3
    assert await session.copy_to(StoredSession(session.session_id, MemoryStore())) == 3
    assert await session.copy_to(make()) == 3
    unused = make()
    with pytest.raises(ValueError, match="twice"):
        await unused.copy_to(unused)
    assert await unused.copy_to(make()) == 0


async def test_a_copy_says_nothing_of_what_is_not_known(make: Make) -> None:
    stored = StoredSession("s", MemoryStore())
    await stored.describe(tags=["a"])
    session = make()
    await session.describe(title="Trip")
    await session.copy_from(stored)
    assert await session.about() == About("Trip", ("a",))


# Without and with a store


async def test_usage_needs_a_store(session: OpenAIConversationsSession) -> None:
    with pytest.raises(NotSupported, match="store"):
        await session.usage()


# Beside, and from many threads


async def test_the_store_lists_it(make: Make, tmp_path: Any) -> None:
    path = tmp_path / "beside.db"
    async with SQLiteStore(path) as store:
        session = make(store=store)
        await session.describe(title="Trip")
        await session.add_items(numbered(1))
        await session.describe(owner="ada")
        [head] = await _heads(Access(f"sqlite:///{path}"), "", 0)
        assert head.log.session == session.session_id
        assert About.of(head.note) == About("Trip", owner="ada")
        await make(session.session_id, store=store).add_items(numbered(1))
        await session.clear_session()
        assert not await store.sessions()


async def test_a_store_that_fails_loses_no_item(make: Make, server: Server) -> None:
    store = MemoryStore()
    session = make(store=store)
    annotate = store.annotate

    async def fail(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    store.annotate = fail  # type: ignore[method-assign]
    await session.add_items(numbered(1))
    store.annotate = annotate  # type: ignore[method-assign]
    await session.add_items(numbered(1, 1))
    assert texts(server.only.items) == ["0", "1"]
    assert len(await store.sessions()) == 1


def test_many_threads_and_loops(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    session = OpenAIConversationsSession()

    def work(n: int) -> None:
        asyncio.run(session.add_items(numbered(30, 100 * n)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [int(text) for text in texts(server.only.items)]
    runs = [found[start : start + 30] for start in range(0, 120, 30)]
    assert sorted(runs) == [list(range(100 * n, 100 * n + 30)) for n in range(4)]


def test_the_blocking_twin(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    session = turnlog.sync.OpenAIConversationsSession(store=MemoryStore())
    session.add_items(numbered(3), key="k")
    session.add_items(numbered(3), key="k")
    assert texts(session.get_items()) == ["0", "1", "2"]
    assert texts(session.view(1)) == ["2"]
    session.describe(title="Trip")
    assert session.about().title == "Trip"
    item = session.pop_item()
    assert item
    assert texts([item]) == ["2"]
    copy = turnlog.sync.StoredSession("s", MemoryStore())
    assert session.copy_to(copy) == 2
    assert session.copy_from(copy) == 2
    assert session.usage() == Usage()
    assert session.conversation_id == session.session_id
    session.clear_session(erase=True)
    assert session.conversation_id is None
