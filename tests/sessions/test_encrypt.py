"""`EncryptSession`: the short form over sessions of every kind."""

import base64
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fake_models import Echo
from tests.sample_items import answer, user
from tests.strangers import Stranger
from turnlog import (
    AdvancedSQLiteSession,
    Agent,
    AsyncSQLiteSession,
    Encrypted,
    EncryptedSession,
    EncryptSession,
    Keyring,
    Log,
    Passphrase,
    Runner,
    SessionSettings,
    SQLiteSession,
    Store,
    StoreClosed,
    StoredSession,
    Unreadable,
)
from turnlog.layers.encryption.header import is_sealed
from turnlog.stores.memory import MemoryStore
from turnlog.testing import MakeSession, SessionTests, StoredSessionTests

KEY = bytes(range(32))
TALK = [user("one"), answer("1"), user("two"), answer("2")]


class TestOverAStoredSession(StoredSessionTests):
    @pytest.fixture
    def make_session(self) -> MakeSession:
        store = MemoryStore()
        return lambda session: EncryptSession(StoredSession(session, store), KEY)


class TestOverAStranger(SessionTests):
    @pytest.fixture
    def make_session(self) -> MakeSession:
        shelf: dict[str, Any] = {}
        return lambda session: EncryptSession(Stranger(session, shelf), KEY)


pytestmark = pytest.mark.anyio


@pytest.mark.stores("memory", "sqlite", "postgres", "redis")
async def test_everything_is_sealed(any_store: Store) -> None:
    """Items, the title, usage and branches; and a run of ours has its lease."""
    session = EncryptSession(StoredSession("a", any_store), KEY)
    await session.describe(title="a secret title")
    await Runner.run(Agent("A", model=Echo()), "a secret question", session=session)
    forked = await session.fork("b")
    await forked.add_items([user("a secret branch")])
    assert [turn.text for turn in await forked.turns()][-1] == "a secret branch"
    assert (await session.about()).title == "a secret title"
    for head in await any_store.logs("a"):
        assert b"secret" not in head.note
        for record in await any_store.read(Log("a", head.log.name)):
            assert head.log.name == ":keys" or is_sealed(record.payload)
    wrong = EncryptSession(StoredSession("a", any_store), os.urandom(32))
    for call in (
        wrong.get_items,
        wrong.pop_item,
        wrong.turns,
        lambda: wrong.add_items(TALK),
        lambda: Runner.run(Agent("A", model=Echo()), "q", session=wrong),
    ):
        with pytest.raises(Unreadable):
            await call()
    await session.delete_branch("b")  # to mark it as deleted takes the key
    await wrong.clear_session()
    assert await session.get_items() == []


@pytest.mark.parametrize(
    "kind", [SQLiteSession, AsyncSQLiteSession, AdvancedSQLiteSession], ids=lambda k: k.__name__
)
async def test_it_is_a_session_of_the_same_class(kind: Callable[..., Any], tmp_path: Path) -> None:
    inner = kind("a", tmp_path / "c.db", session_settings=SessionSettings(limit=2))
    session = EncryptSession(inner, KEY)
    assert type(session) is type(inner)
    assert session.session_id == "a"
    await session.add_items(TALK)
    assert await session.get_items() == TALK[2:]
    assert await session.pop_item() == TALK[3]
    closing = session.close()
    if closing is not None:
        await closing
    for closed in (session, inner):
        with pytest.raises(StoreClosed):
            await closed.get_items()
    again = EncryptSession(kind("a", tmp_path / "c.db"), KEY)
    assert await again.get_items() == TALK[:3]
    closing = again.close()
    if closing is not None:
        await closing


async def test_a_branch_stays_the_branch() -> None:
    store = MemoryStore()
    session = EncryptSession(StoredSession("a", store, branch="b"), KEY)
    await session.add_items(TALK)
    assert session.branch == "b"
    assert await EncryptSession(StoredSession("a", store), KEY).get_items() == []


async def test_a_fork_leaves_the_store_open(tmp_path: Path) -> None:
    session = EncryptSession(SQLiteSession("a", tmp_path / "c.db"), KEY)
    await session.add_items(TALK)
    (await session.fork("b")).close()
    assert await session.get_items() == TALK
    session.close()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (KEY, base64.b64encode(KEY).decode()),
        (KEY, base64.urlsafe_b64encode(KEY).decode()),
        (KEY, base64.b64encode(KEY)),
        ("six random words are good enough", b"six random words are good enough!"[:-1]),
    ],
)
async def test_forms_of_a_key(one: str | bytes, other: str | bytes) -> None:
    store = MemoryStore()
    await EncryptSession(StoredSession("a", store), one).add_items(TALK)
    if len(other) == 32 and isinstance(other, bytes):
        with pytest.raises(Unreadable):  # 32 bytes are a key, and no passphrase
            await EncryptSession(StoredSession("a", store), other).get_items()
    else:
        assert await EncryptSession(StoredSession("a", store), other).get_items() == TALK


async def test_a_passphrase_is_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each session object."""
    derived, settings = Passphrase._derived, []

    def counted(self: Passphrase, given: bytes) -> Any:
        settings.append(given)
        return derived(self, given)

    monkeypatch.setattr(Passphrase, "_derived", counted)
    store = MemoryStore()
    await EncryptSession(StoredSession("a", store), "six random words, more or less").add_items(
        TALK
    )
    assert len(settings) == 1
    for _ in range(20):
        session = EncryptSession(StoredSession("a", store), "six random words, more or less")
        assert await session.get_items() == TALK
    assert len(settings) == 1


@pytest.mark.parametrize("key", ["", b"", "too short", b"too short", b"\xff" * 31, None, 7])
@pytest.mark.parametrize("kind", ["ours", "stranger"])
def test_what_is_no_key(key: Any, kind: str) -> None:
    inner: Any = StoredSession("a", MemoryStore()) if kind == "ours" else Stranger("a", {})
    if kind == "stranger" and key in ("too short", b"too short"):
        assert isinstance(EncryptSession(inner, key), EncryptedSession)  # as the SDK takes it
        return
    with pytest.raises((ValueError, TypeError)) as raised:
        EncryptSession(inner, key)
    trace = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    trace.stack.pop(0)
    assert "too short" not in "".join(trace.format())


async def test_over_a_stranger_nothing_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    session = EncryptSession(Stranger("a", {}), "key")
    assert isinstance(session, EncryptedSession)
    await session.add_items(TALK)
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 1e9)
    assert await session.get_items() == TALK


async def test_going_on_with_a_key_ring() -> None:
    """The id of the key is known, so that it can be rotated."""
    store = MemoryStore()
    await EncryptSession(StoredSession("a", store), KEY).add_items(TALK)
    ring = Keyring({"EncryptSession": KEY, "2026": os.urandom(32)}, primary="2026")
    assert await StoredSession("a", Encrypted(store, ring)).get_items() == TALK
