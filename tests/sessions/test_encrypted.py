"""`EncryptedSession` around sessions of every kind: nothing is lost, shown or removed wrongly."""

import asyncio
import json
import time
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import agents
import pytest
from cryptography.fernet import InvalidToken

from tests.fake_models import Echo
from tests.sample_items import user
from tests.strangers import PLAIN, TALK, Stranger, sealed
from turnlog import (
    AdvancedSQLiteSession,
    Agent,
    EncryptedSession,
    InvalidItem,
    Item,
    Log,
    Runner,
    SessionSettings,
    SQLiteSession,
    Store,
    StoreClosed,
    StoredSession,
    Unreadable,
)
from turnlog.layers.encryption.sdk_format import UnreadableEnvelope, WrongEnvelopeKey
from turnlog.stores.memory import MemoryStore
from turnlog.stores.redis import RedisStore
from turnlog.stores.sqlalchemy import SQLAlchemyStore, Tables
from turnlog.stores.sqlite import SQLiteStore
from turnlog.testing import MakeSession, SessionTests

MALFORMED: list[Item] = [
    PLAIN,
    {"__enc__": 1, "v": 1, "kid": "hkdf-v1"},
    {"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": None},
    {"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": 7},
    {"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": "no token"},
]

Inner = Callable[[], Any]


class TestAroundAStoredSession(SessionTests):
    @pytest.fixture
    def make_session(self) -> MakeSession:
        store = MemoryStore()
        return lambda session: EncryptedSession(session, StoredSession(session, store), "key")


class TestAroundAStranger(SessionTests):
    @pytest.fixture
    def make_session(self) -> MakeSession:
        shelf: dict[str, list[Item]] = {}
        return lambda session: EncryptedSession(session, Stranger(session, shelf), "key")


class TestAroundTheSDKs(SessionTests):
    @pytest.fixture
    def make_session(self, tmp_path: Path) -> MakeSession:
        def make(session: str) -> EncryptedSession:
            inner: Any = agents.SQLiteSession(session, tmp_path / "c.db")
            return EncryptedSession(session, inner, "key")

        return make


class TestAroundAnother(SessionTests):
    @pytest.fixture
    def make_session(self) -> MakeSession:
        shelf: dict[str, list[Item]] = {}

        def make(session: str) -> EncryptedSession:
            inner = EncryptedSession(session, Stranger(session, shelf), "inner")
            return EncryptedSession(session, inner, "outer")

        return make


KINDS = ["memory", "sqlite", "postgres", "redis", "stranger", "sdk", "advanced", "nested"]


@pytest.fixture(params=KINDS)
async def inner(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Inner]:
    """Makes handles on one conversation, of every kind of session that can be wrapped."""
    kind, shelf = request.param, dict[str, list[Item]]()
    if kind == "stranger":
        yield lambda: Stranger("a", shelf)
    elif kind == "sdk":
        yield lambda: agents.SQLiteSession("a", tmp_path / "c.db")
    elif kind == "advanced":
        yield lambda: AdvancedSQLiteSession("a", tmp_path / "c.db")
    elif kind == "nested":
        yield lambda: EncryptedSession("a", Stranger("a", shelf), "another", ttl=None)
    else:
        async with store_of(kind, request, tmp_path) as store:
            yield lambda: StoredSession("a", store)


def store_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if kind == "memory":
        return MemoryStore()
    if kind == "sqlite":
        return SQLiteStore(tmp_path / "c.db")
    server, name = request.getfixturevalue(kind), uuid4().hex[:12]
    if kind == "redis":
        return RedisStore.from_url(server.url, key_prefix=name)
    tables = Tables(f"sessions_{name}", f"messages_{name}")
    return SQLAlchemyStore.from_url(server.url(), tables=tables)


async def later(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + seconds)


pytestmark = pytest.mark.anyio


async def test_a_wrong_key_raises_and_changes_nothing(inner: Inner) -> None:
    await sealed(inner()).add_items(TALK)
    before = await inner().get_items()
    wrong = sealed(inner(), "wrong")
    for call in (wrong.get_items, wrong.pop_item, lambda: wrong.get_items(1)):
        with pytest.raises(WrongEnvelopeKey, match="opens none"):
            await call()
        with pytest.raises(InvalidToken):
            await call()
        with pytest.raises(Unreadable):
            await call()
    assert await inner().get_items() == before
    assert await sealed(inner()).get_items() == TALK
    assert wrong.unreadable == set()


async def test_a_wrong_key_with_expired_items(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has expired is removed by the right key only."""
    await sealed(inner()).add_items(TALK)
    await later(601, monkeypatch)
    before = await inner().get_items()
    with pytest.raises(WrongEnvelopeKey):
        await sealed(inner(), "wrong").pop_item()
    assert await inner().get_items() == before
    assert await sealed(inner()).get_items() == []
    assert await inner().get_items() == before
    assert await sealed(inner(), ttl=None).get_items() == TALK
    assert await sealed(inner()).pop_item() is None
    assert await inner().get_items() == []


async def test_another_session_id_is_another_key(inner: Inner) -> None:
    await sealed(inner()).add_items(TALK)
    with pytest.raises(WrongEnvelopeKey):
        await EncryptedSession("b", inner(), "right").get_items()


async def test_clearing_needs_no_right_key(inner: Inner) -> None:
    await sealed(inner()).add_items(TALK)
    await sealed(inner(), "wrong").clear_session()
    assert await inner().get_items() == []


@pytest.mark.parametrize("bad", range(len(MALFORMED)))
async def test_a_malformed_item_is_left_out(
    inner: Inner, bad: int, caplog: pytest.LogCaptureFixture
) -> None:
    session = sealed(inner())
    await session.add_items(TALK[:2])
    await inner().add_items([MALFORMED[bad]])
    await session.add_items(TALK[2:])
    for _ in range(2):
        assert await session.get_items() == TALK
        assert await session.get_items(3) == TALK[1:]
    assert len(session.unreadable) == 1
    assert len(caplog.records) == 1
    assert "plain text" not in caplog.text.replace("in plain text", "")
    assert await session.pop_item() == TALK[3]
    assert await session.pop_item() == TALK[2]
    before = await inner().get_items()
    with pytest.raises(UnreadableEnvelope, match="pop_item") as raised:
        await session.pop_item()
    assert not isinstance(raised.value, WrongEnvelopeKey)
    assert await inner().get_items() == before
    await inner().pop_item()
    assert await session.pop_item() == TALK[1]


async def test_a_damaged_item_is_told_from_a_wrong_key(inner: Inner) -> None:
    session = sealed(inner())
    await session.add_items(TALK)
    stored = await inner().pop_item()
    token = stored["payload"]
    await inner().add_items([{**stored, "payload": token[:40] + "AAAA" + token[44:]}])
    before = await inner().get_items()
    assert await session.get_items() == TALK[:3]
    assert await session.get_items(1) == TALK[2:3]
    with pytest.raises(UnreadableEnvelope) as raised:
        await session.pop_item()
    assert not isinstance(raised.value, WrongEnvelopeKey)
    assert await inner().get_items() == before


async def test_a_token_that_holds_no_object(inner: Inner) -> None:
    session = sealed(inner())
    await session.add_items(TALK)
    for text in (b"no JSON", b"[1]", b"7", b"\xff"):
        token = session.cipher.encrypt(text).decode()
        await inner().add_items([{"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": token}])
    assert await session.get_items() == TALK
    assert len(session.unreadable) == 4
    with pytest.raises(UnreadableEnvelope, match="no JSON object"):
        await session.pop_item()


async def test_plain_items_alone_are_left_out(inner: Inner) -> None:
    """Nothing says that the key is wrong."""
    await inner().add_items(TALK)
    assert await sealed(inner()).get_items() == []
    with pytest.raises(UnreadableEnvelope, match="not encrypted"):
        await sealed(inner()).pop_item()
    assert await inner().get_items() == TALK


async def test_nothing_readable_is_stored(inner: Inner) -> None:
    await sealed(inner()).add_items([user("a secret")])
    [stored] = await inner().get_items()
    assert set(stored) == {"__enc__", "v", "kid", "payload"}
    assert "secret" not in json.dumps(stored)


async def test_what_has_no_json_form_is_refused(inner: Inner) -> None:
    with pytest.raises(InvalidItem):
        await sealed(inner()).add_items([user("one"), {"when": object()}])
    assert await inner().get_items() == []


async def test_settings_are_those_of_the_wrapped_session(inner: Inner) -> None:
    wrapped = inner()
    session = sealed(wrapped)
    session.session_settings = SessionSettings(limit=1)
    assert session.session_settings is wrapped.session_settings or (
        session.session_settings.limit == 1
    )
    await session.add_items(TALK)
    assert await session.get_items() == TALK[3:]
    assert await session.get_items(limit=3) == TALK[1:]
    assert await session.get_items(0) == []


async def test_windows_of_whole_turns() -> None:
    """They are windows of what was opened, not of envelopes."""
    store = MemoryStore()
    session = sealed(StoredSession("a", store, session_settings={"max_turns": 1}))
    await session.add_items(TALK)
    assert await session.get_items() == TALK[2:]
    assert await session.get_items(3) == TALK[1:]
    model = Echo()
    await Runner.run(Agent("A", model=model), "three", session=session)
    assert await session.get_items(-1) != []


async def test_a_pop_takes_what_another_session_added_last(inner: Inner) -> None:
    one, other = sealed(inner()), sealed(inner())
    await one.add_items(TALK)
    await other.add_items([user("three")])
    assert await one.pop_item() == user("three")
    assert await other.pop_item() == TALK[3]


async def test_pops_at_once_take_different_items(inner: Inner) -> None:
    await sealed(inner()).add_items([user(str(n)) for n in range(8)])
    popped = await asyncio.gather(*[sealed(inner()).pop_item() for _ in range(8)])
    assert sorted(item["content"] for item in popped if item) == [str(n) for n in range(8)]
    assert await inner().get_items() == []


async def test_two_wrong_keys_and_a_right_one_at_once(inner: Inner) -> None:
    await sealed(inner()).add_items([user(str(n)) for n in range(6)])

    async def wrong() -> None:
        for _ in range(6):
            with pytest.raises(WrongEnvelopeKey):
                await sealed(inner(), "wrong").pop_item()

    async def right() -> None:
        for n in range(6, 10):
            await sealed(inner()).add_items([user(str(n))])

    await asyncio.gather(wrong(), right(), wrong())
    items = await sealed(inner()).get_items()
    assert [item["content"] for item in items] == [str(n) for n in range(10)]


async def test_a_closed_session_stays_closed(tmp_path: Path) -> None:
    session = sealed(SQLiteSession("a", tmp_path / "c.db"))
    session.close()
    with pytest.raises(StoreClosed):
        await session.get_items()
    with pytest.raises(StoreClosed):
        await session.add_items([])


# Runs


async def test_our_runner(inner: Inner) -> None:
    model = Echo()
    for text in ("one", "two"):
        await Runner.run(Agent("A", model=model), text, session=sealed(inner()))
    items = await sealed(inner()).get_items()
    assert [item["role"] for item in items] == ["user", "assistant"] * 2
    with pytest.raises(WrongEnvelopeKey):
        await Runner.run(Agent("A", model=model), "three", session=sealed(inner(), "wrong"))
    assert len(await inner().get_items()) == 4


# Secrecy


async def test_no_key_and_no_text_is_shown(inner: Inner, caplog: pytest.LogCaptureFixture) -> None:
    key = "a very secret key of mine"
    session = sealed(inner(), key)
    await session.add_items([user("top secret")])
    shown = [repr(session)]
    for call in (
        sealed(inner(), "mistaken key").get_items,
        sealed(inner(), "mistaken key").pop_item,
    ):
        with pytest.raises(WrongEnvelopeKey) as raised:
            await call()
        shown += frames_of(raised.value)
    text = "".join(shown) + caplog.text
    assert key not in text
    assert "mistaken key" not in text
    assert "top secret" not in text


def test_a_refused_key_is_not_in_the_traceback() -> None:
    with pytest.raises(ValueError, match="max_scan_items") as raised:
        EncryptedSession("a", Stranger("a", {}), "my " + "key", max_scan_items=0)
    assert "my key" not in "".join(frames_of(raised.value))


def frames_of(error: BaseException) -> list[str]:
    """The traceback with its local variables, behind the frame of the test itself."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    trace.stack.pop(0)
    return [*trace.format()]


@pytest.mark.parametrize("key", ["", b"", None])
def test_without_a_key(key: Any) -> None:
    with pytest.raises(ValueError, match="encryption_key not set; required for EncryptedSession"):
        sealed(Stranger("a", {}), key)


async def test_over_a_store_nothing_but_envelopes_is_written() -> None:
    store = MemoryStore()
    await sealed(StoredSession("a", store)).add_items([user("secret")] * 600)
    for head in await store.logs("a"):
        for record in await store.read(Log("a", head.log.name)):
            assert b"secret" not in record.payload
