"""`EncryptedSession` around sessions of every kind: nothing is lost, shown or removed wrongly."""

import asyncio
import copy
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
from tests.sample_items import answer, user
from tests.strangers import Stranger
from turnlog import (
    AdvancedSQLiteSession,
    Agent,
    EncryptedSession,
    InvalidItem,
    Item,
    Log,
    Runner,
    SessionABC,
    SessionSettings,
    SQLiteSession,
    Store,
    StoreClosed,
    StoredSession,
    Unreadable,
)
from turnlog.layers.encryption.sdk_format import UnreadableEnvelope, WrongEnvelopeKey
from turnlog.sessions.encryption.popping import RecordTakenOut
from turnlog.stores.memory import MemoryStore
from turnlog.stores.redis import RedisStore
from turnlog.stores.sqlalchemy import SQLAlchemyStore, Tables
from turnlog.stores.sqlite import SQLiteStore
from turnlog.testing import MakeSession, SessionTests

TALK = [user("one"), answer("1"), user("two"), answer("2")]
PLAIN = user("in plain text")
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


def sealed(session: Any, key: str = "right", **options: Any) -> EncryptedSession:
    return EncryptedSession("a", session, key, **options)


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


# Strangers, whose pop removes before one can look


class Racing(Stranger):
    """Another writer does something between the look and the pop."""

    meanwhile: Callable[[list[Item]], object] | None = None
    refuses = 0

    async def pop_item(self) -> Item | None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile(self._shelf[self.session_id])
        return await super().pop_item()

    async def add_items(self, items: list[Item]) -> None:
        if self.refuses:
            self.refuses -= 1
            raise OSError("disk full")
        await super().add_items(items)


async def racing(meanwhile: Callable[[list[Item]], object]) -> tuple[Racing, EncryptedSession]:
    stranger = Racing("a", {})
    session = sealed(stranger)
    await session.add_items(TALK)
    stranger.meanwhile = meanwhile
    return stranger, session


async def test_what_came_meanwhile_and_can_be_opened_is_popped() -> None:
    envelopes = Stranger("a", {})
    await sealed(envelopes).add_items([user("three")])
    [extra] = await envelopes.get_items()
    _, session = await racing(lambda shelf: shelf.append(extra))
    assert await session.pop_item() == user("three")
    assert await session.get_items() == TALK


async def test_what_came_meanwhile_and_cannot_be_opened_is_put_back() -> None:
    stranger, session = await racing(lambda shelf: shelf.append(PLAIN))
    with pytest.raises(UnreadableEnvelope):
        await session.pop_item()
    assert (await stranger.get_items())[-1] == PLAIN
    assert await session.get_items() == TALK


async def test_what_was_popped_meanwhile_is_not_popped_again() -> None:
    _, session = await racing(lambda shelf: shelf.pop())
    assert await session.pop_item() == TALK[2]
    assert await session.get_items() == TALK[:2]


async def test_all_went_meanwhile() -> None:
    _, session = await racing(lambda shelf: shelf.clear())
    assert await session.pop_item() is None


async def test_what_cannot_be_put_back_is_in_the_error() -> None:
    stranger, session = await racing(lambda shelf: shelf.append(PLAIN))
    stranger.refuses = 1
    with pytest.raises(RecordTakenOut, match="`item`") as raised:
        await session.pop_item()
    assert raised.value.item == PLAIN
    assert isinstance(raised.value.__cause__, OSError)
    assert "plain text" not in str(raised.value)


async def test_a_cancelled_pop_puts_back() -> None:
    def cancelling(shelf: list[Item]) -> None:
        shelf.append(PLAIN)
        task.cancel()

    stranger, session = await racing(cancelling)
    task = asyncio.ensure_future(session.pop_item())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await stranger.get_items())[-1] == PLAIN
    assert await session.get_items() == TALK


class Least(SessionABC):
    """The least that a session of one's own needs: no limit, and no pop."""

    def __init__(self) -> None:
        self.session_id = "a"
        self.kept: list[Item] = []

    async def get_items(self) -> list[Item]:  # type: ignore[override]
        return copy.deepcopy(self.kept)

    async def add_items(self, items: list[Item]) -> None:
        self.kept += items


async def test_a_session_without_limit_and_pop() -> None:
    session = sealed(Least())
    await session.add_items(TALK)
    assert await session.get_items() == TALK
    assert await session.get_items(2) == TALK[2:]
    assert await session.get_items(0) == []
    with pytest.raises(NotImplementedError, match="Least"):
        await session.pop_item()
    assert await session.get_items() == TALK


async def test_overridden_pops_are_called() -> None:
    """A class that overrides `pop_item` alone has its way."""
    popped = []

    class Mine(StoredSession):
        async def pop_item(self) -> Item | None:
            popped.append(1)
            return await super().pop_item()

    session = sealed(Mine("a", MemoryStore()))
    await session.add_items(TALK)
    assert await session.pop_item() == TALK[3]
    assert popped == [1]


# Budgets


class Counting(Stranger):
    reads: list[tuple[tuple[object, ...], dict[str, object]]]

    def __init__(self, items: list[Item]) -> None:
        super().__init__("a", {"a": items})
        self.reads = []

    async def get_items(self, *args: Any, **more: Any) -> list[Item]:
        self.reads.append((args, more))
        return await super().get_items(*args, **more)


async def test_windows_double_and_count_again() -> None:
    stranger = Counting([PLAIN] * 20)
    with pytest.raises(RuntimeError, match="max_scan_items exhausted"):
        await sealed(stranger, max_scan_items=13).get_items(2)
    assert stranger.reads == [((2,), {}), ((4,), {}), ((7,), {})]


async def test_a_full_last_window_is_exhausted_and_a_short_one_complete() -> None:
    stranger = Counting([])
    session = sealed(stranger, max_scan_items=4)
    await session.add_items(TALK[:3])
    assert await session.get_items() == TALK[:3]
    await session.add_items(TALK[3:])
    with pytest.raises(RuntimeError, match="max_scan_items exhausted"):
        await session.get_items()
    assert await session.get_items(4) == TALK
    assert await session.get_items(0) == []


async def test_negative_limits_with_a_budget() -> None:
    stranger = Counting([])
    with pytest.raises(ValueError, match=r"limit must be non-negative .* max_scan_items"):
        await sealed(stranger, max_scan_items=1).get_items(-1)
    assert stranger.reads == []


async def test_a_wrong_key_with_a_budget_is_a_wrong_key() -> None:
    stranger = Counting([])
    await sealed(stranger).add_items(TALK)
    with pytest.raises(WrongEnvelopeKey):
        await sealed(stranger, "wrong", max_scan_items=2).get_items()


@pytest.mark.parametrize("budget", [0, -1])
def test_budgets_are_positive(budget: int) -> None:
    with pytest.raises(ValueError, match="max_scan_items must be positive"):
        sealed(Stranger("a", {}), max_scan_items=budget)


# Forwarding


async def test_unknown_attributes_are_those_of_the_wrapped_session() -> None:
    stranger: Any = Stranger("a", {})
    stranger.title = "T"
    session = sealed(stranger)
    assert session.title == "T"
    assert not hasattr(session, "nothing")
    assert not hasattr(session, "run_compaction")
    assert copy.copy(session).title == "T"


async def test_what_would_store_plain_items_is_not_forwarded() -> None:
    session = sealed(StoredSession("a", MemoryStore()))
    assert session.branch == "main"
    for name in ("turn", "edit", "fork", "view", "explain"):
        with pytest.raises(AttributeError, match="EncryptSession"):
            getattr(session, name)


class WithContext(Stranger):
    """All four methods take the context of a run."""

    def __init__(self) -> None:
        super().__init__("a", {})
        self.given: list[object] = []

    async def get_items(self, limit: int | None = None, *, wrapper: object = None) -> list[Item]:
        self.given.append(wrapper)
        return await super().get_items(limit)

    async def add_items(self, items: list[Item], *, wrapper: object = None) -> None:
        self.given.append(wrapper)
        await super().add_items(items)

    async def pop_item(self, *, wrapper: object = None) -> Item | None:
        self.given.append(wrapper)
        return await super().pop_item()

    async def clear_session(self, *, wrapper: object = None) -> None:
        self.given.append(wrapper)
        await super().clear_session()


class WithLittleContext(WithContext):
    async def clear_session(self) -> None:  # type: ignore[override]
        await super().clear_session()


@pytest.mark.parametrize(("kind", "forwarded"), [(WithContext, True), (WithLittleContext, False)])
async def test_the_context_of_a_run(kind: type[WithContext], forwarded: bool) -> None:
    stranger, context = kind(), object()
    session = sealed(stranger)
    await session.add_items(TALK, wrapper=context)
    await session.get_items(wrapper=context)
    await session.get_items(1, wrapper=context)
    await session.pop_item(wrapper=context)
    await session.clear_session(wrapper=context)
    assert stranger.given == [context if forwarded else None] * len(stranger.given)
    assert len(stranger.given) == 6


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
