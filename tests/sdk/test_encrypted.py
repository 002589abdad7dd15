"""`EncryptedSession` beside the SDK's class: each reads the other; Runners and compaction."""

import base64
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import agents
import pytest
from agents import OpenAIResponsesModel, RunConfig, set_tracing_disabled
from agents.extensions import memory as theirs
from agents.memory import OpenAIResponsesCompactionSession
from openai import AsyncOpenAI

from tests.providers.openai_server import Reply, Server, serving
from tests.sample_items import answer, user
from tests.strangers import Stranger
from turnlog import EncryptedSession, EncryptSession, Store, StoredSession, Unreadable
from turnlog.extensions import memory as ours
from turnlog.items.json import Item
from turnlog.layers.encryption.sdk_format import UnreadableEnvelope, WrongEnvelopeKey
from turnlog.records import Log
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
OTHER = base64.urlsafe_b64encode(bytes(32)).decode()
TALK = [user("one"), answer("1"), user("two"), answer("2")]
MORE = [user("three"), answer("3")]
SUMMARY: Item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}
STORES = pytest.mark.stores("memory", "sqlite", "postgres", "redis")


def test_it_stands_where_users_of_the_sdk_look() -> None:
    assert ours.EncryptedSession is EncryptedSession


# Old data of the SDK, in its own layouts, and the other way round


@pytest.fixture(params=["sqlite", "sqlalchemy", "postgres", "redis"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Any, Any]]:
    """A plain session of the SDK, and ours on the same database."""
    their: Any
    our: Any
    kind, path = request.param, tmp_path / "c.db"
    name = f"t{uuid4().hex[:8]}"
    if kind == "sqlite":
        their, our = agents.SQLiteSession(name, path), ours.AsyncSQLiteSession(name, path)
        yield their, our
        their.close()
        await our.close()
        return
    if kind == "redis":
        url = request.getfixturevalue("redis").url
        their = theirs.RedisSession.from_url(name, url=url)
        our = ours.RedisSession.from_url(name, url)
    else:
        url = (
            f"sqlite+aiosqlite:///{path}"
            if kind == "sqlalchemy"
            else request.getfixturevalue("postgres").url()
        )
        their = theirs.SQLAlchemySession.from_url(name, url=url, create_tables=True)
        our = ours.SQLAlchemySession.from_url(name, url=url)
    yield their, our
    await our.close()
    await (their.close() if kind == "redis" else their.engine.dispose())


async def test_each_reads_and_pops_what_the_other_wrote(pair: tuple[Any, Any]) -> None:
    their, our = pair
    name = our.session_id
    old = theirs.EncryptedSession(name, their, KEY)
    new = EncryptedSession(name, our, KEY)
    await old.add_items(TALK)  # type: ignore[arg-type]
    assert await new.get_items() == TALK
    if isinstance(our, ours.RedisSession):
        return  # ours has another layout, and has adopted it
    await new.add_items(MORE)
    assert await old.get_items() == TALK + MORE
    assert await new.pop_item() == MORE[1]
    assert await old.pop_item() == MORE[0]
    assert await new.get_items() == await old.get_items() == TALK


@pytest.mark.parametrize("key", [KEY, "correct horse battery staple", bytes(range(32))])
async def test_the_short_form_reads_what_the_sdk_wrote(
    pair: tuple[Any, Any], key: str | bytes
) -> None:
    """And seals what it writes in the format of the layer."""
    their, our = pair
    name = our.session_id
    theirs_key = KEY if isinstance(key, bytes) else key
    await theirs.EncryptedSession(name, their, theirs_key).add_items(TALK)  # type: ignore[arg-type]
    new = EncryptSession(our, key)
    assert await new.get_items() == TALK
    await new.add_items(MORE)
    assert await new.get_items() == TALK + MORE
    payloads = (await our.store.read(Log(name))).payloads
    assert [payload[:2] == b"\xf5T" for payload in payloads] == [False] * 4 + [True] * 2
    assert await new.pop_item() == MORE[1]
    assert await new.pop_item() == MORE[0]
    assert await new.pop_item() == TALK[3]
    wrong = EncryptSession(our, os.urandom(32))
    for call in (wrong.get_items, wrong.pop_item, lambda: wrong.add_items(MORE)):
        with pytest.raises(Unreadable):
            await call()
    assert await new.get_items() == TALK[:3]


async def test_a_wrong_key_over_what_the_sdk_wrote_alone(pair: tuple[Any, Any]) -> None:
    their, our = pair
    await theirs.EncryptedSession(our.session_id, their, KEY).add_items(TALK)  # type: ignore[arg-type]
    wrong = EncryptSession(our, OTHER)
    for call in (wrong.get_items, wrong.pop_item, lambda: wrong.get_items(1)):
        with pytest.raises(WrongEnvelopeKey):
            await call()
    assert await EncryptSession(our, KEY).get_items() == TALK


# Our session in the SDK's class, and the SDK's in ours


async def test_ours_around_the_sdks_own(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    plain = agents.SQLiteSession("a", tmp_path / "c.db")
    request.addfinalizer(plain.close)
    inner: Any = theirs.EncryptedSession("a", plain, OTHER)
    session = EncryptedSession("a", inner, KEY)
    await session.add_items(TALK)
    assert await session.get_items() == TALK
    wrong = EncryptedSession("a", inner, OTHER)
    with pytest.raises(WrongEnvelopeKey):
        await wrong.pop_item()
    assert len(await plain.get_items()) == 4
    assert await session.pop_item() == TALK[3]


async def test_the_sdks_around_ours() -> None:
    inner: Any = EncryptedSession("a", Stranger("a", {}), OTHER)
    session = theirs.EncryptedSession("a", inner, KEY)
    await session.add_items(TALK)  # type: ignore[arg-type]
    assert await session.get_items() == TALK
    assert await session.pop_item() == TALK[3]


# Runs


@pytest.fixture
def server() -> Iterator[Server]:
    set_tracing_disabled(disabled=True)
    with serving() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="key", base_url=server.url, max_retries=0) as client:
        yield client


async def ask(text: str, session: Any, client: AsyncOpenAI) -> None:
    agent = agents.Agent("Assistant", model=OpenAIResponsesModel("gpt-4.1", client))
    config = RunConfig(tracing_disabled=True)
    await agents.Runner.run(agent, text, session=session, run_config=config)


def says(text: str, number: int) -> Reply:
    return Reply([answer(text, id=f"msg_{number}", status="completed")])


def inner_of(kind: str, store: Store) -> Any:
    return Stranger("user", {}) if kind == "stranger" else StoredSession("user", store)


@STORES
@pytest.mark.parametrize("kind", ["ours", "stranger"])
@pytest.mark.parametrize("make", [EncryptedSession, "short"])
async def test_the_sdks_runner(
    any_store: Store, server: Server, client: AsyncOpenAI, kind: str, make: Any
) -> None:
    inner = inner_of(kind, any_store)
    short = make == "short"
    session = EncryptSession(inner, KEY) if short else EncryptedSession("user", inner, KEY)
    server.says(says("1", 1), says("2", 2))
    await ask("one", session, client)
    await ask("two", session, client)
    asked = server.requests[1].body["input"]
    assert [each["role"] for each in asked] == ["user", "assistant", "user"]
    assert [item["role"] for item in await session.get_items()] == ["user", "assistant"] * 2
    wrong = EncryptSession(inner, OTHER) if short else EncryptedSession("user", inner, OTHER)
    with pytest.raises(Unreadable):
        await ask("three", wrong, client)
    assert len(await session.get_items()) == 4


# Compaction around it


def compacting(session: Any, client: AsyncOpenAI, at: int = 1, **options: Any) -> Any:
    def is_time(context: dict[str, Any]) -> bool:
        return len(context["compaction_candidate_items"]) >= at

    return OpenAIResponsesCompactionSession(
        "user", session, client=client, should_trigger_compaction=is_time, **options
    )


BY_HAND: Any = {"force": True, "compaction_mode": "input"}


@pytest.fixture(params=["around", "inside"])
def arrangement(request: pytest.FixtureRequest, client: AsyncOpenAI) -> Any:
    """Makes the session that a run gets: compaction around the encryption, or inside."""

    def make(inner: Any, key: str = KEY, **options: Any) -> Any:
        if request.param == "around":
            return compacting(EncryptedSession("user", inner, key, **options), client)
        return EncryptedSession("user", compacting(inner, client), key, **options)

    return make


def check_sealed(items: list[Item]) -> None:
    assert all("__enc__" in item for item in items)


@STORES
@pytest.mark.parametrize("kind", ["ours", "stranger"])
async def test_compaction_by_hand(
    any_store: Store, server: Server, arrangement: Any, kind: str
) -> None:
    inner = inner_of(kind, any_store)
    await EncryptedSession("user", inner, KEY).add_items(TALK)
    server.says(Reply([user("one"), user("two"), SUMMARY]))
    session = arrangement(inner)
    await session.run_compaction(BY_HAND)
    assert server.requests[0].body["input"] == TALK
    assert await session.get_items() == [user("one"), user("two"), SUMMARY]
    check_sealed(await inner.get_items())


@STORES
@pytest.mark.parametrize("kind", ["ours", "stranger"])
async def test_compaction_by_the_runner(
    any_store: Store, server: Server, client: AsyncOpenAI, arrangement: Any, kind: str
) -> None:
    inner = inner_of(kind, any_store)
    session = arrangement(inner)
    for number in (1, 2):
        compacted = [user("q"), {**SUMMARY, "id": f"c{number}"}]
        server.says(says(f"answer {number}", number), Reply(compacted))
        await ask(f"question {number}", session, client)
        assert await session.get_items() == compacted
        check_sealed(await inner.get_items())
    paths = [request.path.removeprefix("/v1/") for request in server.requests]
    assert paths == ["responses", "responses/compact"] * 2


@STORES
@pytest.mark.parametrize("kind", ["ours", "stranger"])
async def test_compaction_with_a_wrong_key(
    any_store: Store, server: Server, arrangement: Any, kind: str
) -> None:
    """It raises before the request, and nothing changes."""
    inner = inner_of(kind, any_store)
    await EncryptedSession("user", inner, KEY).add_items(TALK)
    before = await inner.get_items()
    with pytest.raises(WrongEnvelopeKey):
        await arrangement(inner, OTHER).run_compaction(BY_HAND)
    assert await inner.get_items() == before
    assert not server.requests


@STORES
@pytest.mark.parametrize("kind", ["ours", "stranger"])
async def test_compaction_never_replaces_what_cannot_be_opened(
    any_store: Store, server: Server, client: AsyncOpenAI, arrangement: Any, kind: str
) -> None:
    inner = inner_of(kind, any_store)
    await inner.add_items([user("plain")])
    session = arrangement(inner)
    server.says(says("answer", 1), Reply([user("q"), SUMMARY]))
    await ask("question", session, client)
    items = await inner.get_items()
    assert items[0] == user("plain")
    check_sealed(items[1:])
    server.says(Reply([SUMMARY]))
    with pytest.raises(UnreadableEnvelope, match="compacted by hand"):
        await session.run_compaction(BY_HAND)
    assert await inner.get_items() == items


@STORES
async def test_compaction_leaves_branches_and_title(
    any_store: Store, server: Server, client: AsyncOpenAI, arrangement: Any
) -> None:
    await StoredSession("user", any_store, branch="other").add_items([user("elsewhere")])
    inner = StoredSession("user", any_store)
    await inner.describe(title="T")
    session = arrangement(inner)
    server.says(says("answer", 1), Reply([SUMMARY]))
    await ask("question", session, client)
    assert await session.get_items() == [SUMMARY]
    assert (await inner.about()).title == "T"
    assert len(await StoredSession("user", any_store, branch="other").get_items()) == 1


async def test_compaction_removes_what_has_expired(
    server: Server, client: AsyncOpenAI, arrangement: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = StoredSession("user", MemoryStore())
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    await EncryptedSession("user", inner, KEY).add_items(TALK)
    monkeypatch.setattr("time.time", lambda: 1_000_700.0)
    session = arrangement(inner)
    server.says(says("answer", 1), Reply([SUMMARY]))
    await ask("question", session, client)
    assert await session.get_items() == [SUMMARY]
    assert len(await inner.get_items()) == 1


async def test_a_foreign_compaction_that_takes_no_plain_items_is_not_shown() -> None:
    """Forwarded, it would send envelopes to the model."""

    class Compacting(Stranger):
        async def run_compaction(self, args: Any = None) -> None:
            raise AssertionError("it got envelopes")

    session = EncryptedSession("user", Compacting("user", {}), KEY)
    assert not hasattr(session, "run_compaction")
    assert not hasattr(session, "_defer_compaction")
