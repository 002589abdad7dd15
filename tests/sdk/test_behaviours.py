"""What users of the OpenAI Agents SDK rely on without reading it anywhere.

Wherever we are no different on purpose, the SDK's own session has to pass too: so
what is demanded of ours is a fact, and stays one when the SDK changes.
"""

import asyncio
import dataclasses
import inspect
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import agents
import pytest
from agents.extensions.memory import EncryptedSession

import turnlog
from turnlog import InvalidItem, Log, SessionSettings, StoredSession, sync
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

Make = Callable[..., Any]

OURS = ["file", "memory", "async file", "async memory", "stored"]
ALL = [*OURS, "sdk file", "sdk memory"]
FILES = ["file", "async file"]
CLOSABLE = ["file", "memory", "async file", "async memory"]


def maker(kind: str, path: Path) -> Make:
    """What makes sessions of `kind`, of id "a" unless told; those in a file share it."""
    classes: dict[str, tuple[Make, object]] = {
        "file": (turnlog.SQLiteSession, path),
        "memory": (turnlog.SQLiteSession, ":memory:"),
        "async file": (turnlog.AsyncSQLiteSession, path),
        "async memory": (turnlog.AsyncSQLiteSession, ":memory:"),
        "stored": (StoredSession, MemoryStore()),
        "sdk file": (agents.SQLiteSession, path),
        "sdk memory": (agents.SQLiteSession, ":memory:"),
    }
    make, where = classes[kind]
    return lambda session_id="a", **more: make(session_id, where, **more)


@pytest.fixture(params=ALL)
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of session, unless a test asks for some only."""
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.db"


@pytest.fixture
async def make(kind: str, path: Path) -> AsyncIterator[Make]:
    made = []

    def make_and_remember(*args: Any, **more: Any) -> Any:
        made.append(maker(kind, path)(*args, **more))
        return made[-1]

    yield make_and_remember
    for session in made:
        await close(session)


@pytest.fixture
def session(make: Make) -> Any:
    return make()


async def close(session: Any) -> None:
    closing = session.close() if hasattr(session, "close") else None
    if inspect.isawaitable(closing):
        await closing


def some(kinds: list[str]) -> pytest.MarkDecorator:
    """Only sessions of these kinds."""
    return pytest.mark.parametrize("kind", kinds)


def numbered(count: int, first: int = 0) -> list[Any]:
    return [{"role": "user", "content": f"{n}"} for n in range(first, first + count)]


async def plant(session: Any, payload: bytes) -> None:
    """Put a record into the session's database as it is."""
    if isinstance(session, StoredSession):
        await session.store.append(Log(session.session_id), [payload])
        return
    with session._locked_connection() as db:
        db.execute(
            "INSERT INTO agent_messages (session_id, message_data) VALUES (?, ?)",
            (session.session_id, payload.decode()),
        )
        db.commit()


# Settings


@pytest.mark.parametrize(
    "given",
    [None, {}, {"limit": 2}, SessionSettings(limit=2), SessionSettings()],
    ids=["none", "empty", "dict", "instance", "unset"],
)
@some(OURS)
async def test_settings_are_never_none_afterwards(make: Make, given: Any) -> None:
    session = make(session_settings=given)
    assert isinstance(session.session_settings, SessionSettings)
    assert session.session_settings.limit == (2 if "2" in repr(given) else None)


async def test_the_sdks_own_settings_are_taken(make: Make) -> None:
    session = make(session_settings=agents.SessionSettings(limit=2))
    await session.add_items(numbered(5))
    assert await session.get_items() == numbered(2, 3)


async def test_unknown_settings_are_named(make: Make) -> None:
    with pytest.raises(TypeError, match=r"^Unknown session settings: nonsense$"):
        make(session_settings={"limit": 1, "nonsense": 2})


async def test_settings_that_are_assigned_later_take_effect(session: Any) -> None:
    await session.add_items(numbered(5))
    for settings in (agents.SessionSettings(limit=2), {"limit": 2}):
        session.session_settings = None
        assert len(await session.get_items()) == 5
        session.session_settings = settings
        assert await session.get_items() == numbered(2, 3)


@pytest.mark.parametrize("settings", [SessionSettings, agents.SessionSettings])
def test_resolving_lays_what_is_set_over_what_was(settings: Callable[..., Any]) -> None:
    before = settings(limit=3)
    assert before.resolve(None).limit == 3
    assert before.resolve({}).limit == 3
    assert before.resolve({"limit": None}).limit == 3
    assert before.resolve(settings()).limit == 3
    assert before.resolve(settings(limit=0)).limit == 0
    assert before.resolve({"limit": 5}).limit == 5
    assert settings().resolve(before).limit == 3
    assert before.limit == 3
    with pytest.raises(TypeError, match=r"^Unknown session settings: nonsense$"):
        before.resolve({"nonsense": 1})


def test_ours_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SessionSettings().limit = 1  # type: ignore[misc]  # that is the point


# Limits


@pytest.mark.parametrize("default", [None, 0, 3, 100, -1])
@pytest.mark.parametrize("explicit", [None, 0, 1, 2, 5, 100, -1])
async def test_an_explicit_limit_wins_over_the_settings(
    make: Make, default: int | None, explicit: int | None
) -> None:
    session = make(session_settings={"limit": default})
    items = numbered(5)
    await session.add_items(items)
    limit = default if explicit is None else explicit
    shown = items if limit is None or limit < 0 else items[max(0, 5 - limit) :]
    assert await session.get_items(explicit) == shown
    assert await session.get_items(limit=explicit) == shown


async def test_a_limit_counts_readable_items(session: Any) -> None:
    for item in numbered(4):
        await session.add_items([item])
        await plant(session, b"{broken")
    assert await session.get_items(2) == numbered(2, 2)
    assert await session.get_items(10) == numbered(4)
    assert await session.get_items(0) == []


# Rows that do not decode


async def test_what_does_not_decode_is_skipped_and_stays(session: Any) -> None:
    await session.add_items(numbered(1))
    await plant(session, b"{broken")
    await session.add_items(numbered(1, 1))
    for _ in range(3):
        assert await session.get_items() == numbered(2)
    if isinstance(session, StoredSession):
        assert len(await session.store.read(Log("a"))) == 3


async def test_pop_removes_what_does_not_decode_on_its_way(session: Any) -> None:
    await plant(session, b"{broken")
    await session.add_items(numbered(1))
    await plant(session, b"{broken")
    await plant(session, b"also")
    assert await session.pop_item() == numbered(1)[0]
    if isinstance(session, StoredSession):
        assert len(await session.store.read(Log("a"))) == 1
    assert await session.pop_item() is None
    assert await session.get_items() == []
    if isinstance(session, StoredSession):
        assert len(await session.store.read(Log("a"))) == 0


# Nothing to add, nothing to pop


@some(OURS)
async def test_adding_nothing_creates_nothing(session: Any, path: Path) -> None:
    await session.add_items([])
    assert not path.exists()
    assert await session.get_items() == []
    assert await session.store.sessions() == []


async def test_pop_on_empty_gives_none(session: Any) -> None:
    assert await session.pop_item() is None
    await session.add_items(numbered(1))
    await session.pop_item()
    assert await session.pop_item() is None
    await session.clear_session()
    assert await session.pop_item() is None


# Closing


def verbs(session: Any) -> list[Callable[[], Awaitable[Any]]]:
    return [
        session.get_items,
        lambda: session.get_items(0),
        lambda: session.add_items(numbered(1)),
        lambda: session.add_items([]),
        session.pop_item,
        session.clear_session,
    ]


@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
@some([*CLOSABLE, "sdk file", "sdk memory"])
async def test_after_close_every_verb_says_so(session: Any, *, used: bool) -> None:
    if used:
        await session.add_items(numbered(1))
    await close(session)
    await close(session)
    for verb in verbs(session):
        with pytest.raises(RuntimeError, match=rf"^{type(session).__name__} is closed$"):
            await verb()


@some(CLOSABLE)
async def test_closing_twice_at_once_is_fine(session: Any) -> None:
    await session.add_items(numbered(1))
    loop = asyncio.get_running_loop()
    if inspect.iscoroutinefunction(session.close):
        await asyncio.gather(*(session.close() for _ in range(8)))
    else:
        with ThreadPoolExecutor(8) as pool:
            await asyncio.gather(*(loop.run_in_executor(pool, session.close) for _ in range(8)))
    with pytest.raises(RuntimeError, match="is closed"):
        await session.get_items()


@some(FILES)
async def test_closing_one_leaves_the_others_on_the_file(make: Make) -> None:
    one, two, late = make(), make(), make("b")
    await one.add_items(numbered(1))
    await close(one)
    assert await two.get_items() == numbered(1)
    await late.add_items(numbered(2))
    await close(two)
    assert await late.get_items() == numbered(2)


async def test_a_store_that_was_passed_in_is_the_callers() -> None:
    store = MemoryStore()
    for n in range(3):
        await StoredSession("a", store).add_items(numbered(1, n))
    assert await StoredSession("a", store).get_items() == numbered(3)
    await store.aclose()
    with pytest.raises(RuntimeError, match="is closed"):
        await StoredSession("a", store).get_items()


# Writes that fail


@some(OURS)
async def test_an_item_without_json_stores_nothing(session: Any) -> None:
    await session.add_items(numbered(1))
    with pytest.raises(TypeError) as caught:
        await session.add_items([*numbered(1, 1), {"data": b"raw"}])
    assert isinstance(caught.value, InvalidItem)
    assert await session.get_items() == numbered(1)
    await session.add_items(numbered(1, 1))
    assert await session.get_items() == numbered(2)


@some([*FILES, "sdk file"])
async def test_a_failing_write_leaves_nothing_and_frees_the_lock(session: Any, path: Path) -> None:
    await session.add_items(numbered(1))
    with closing(sqlite3.connect(path, timeout=0)) as db:
        db.execute(
            "CREATE TRIGGER no_curses BEFORE INSERT ON agent_messages "
            "WHEN new.message_data LIKE '%curse%' BEGIN SELECT raise(ABORT, 'language!'); END"
        )
        with pytest.raises(sqlite3.IntegrityError, match="language!"):
            await session.add_items([*numbered(1, 1), {"content": "curse"}])
        db.execute("BEGIN IMMEDIATE")  # at once: it would raise if the lock were held
        db.rollback()
    assert await session.get_items() == numbered(1)
    await session.add_items(numbered(1, 1))
    assert await session.get_items() == numbered(2)


@some(OURS)
async def test_one_failing_write_does_not_harm_the_others(make: Make) -> None:
    sessions = [make(f"{n}") for n in range(10)]
    bad = {n for n in range(10) if n % 3 == 0}
    answers = await asyncio.gather(
        *(
            s.add_items([{"n": n, "bad": b""} if n in bad else {"n": n}])
            for n, s in enumerate(sessions)
        ),
        return_exceptions=True,
    )
    assert {n for n, answer in enumerate(answers) if isinstance(answer, InvalidItem)} == bad
    for n, session in enumerate(sessions):
        assert await session.get_items() == ([] if n in bad else [{"n": n}])


# Cancelling


@some([*FILES, "sdk file"])
async def test_a_cancelled_write_waits_for_its_outcome(session: Any, path: Path) -> None:
    await session.add_items(numbered(1))
    with closing(sqlite3.connect(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(session.add_items(numbered(2, 1)))
        await asyncio.sleep(0.05)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
            assert not task.done()
        db.rollback()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await session.get_items() == numbered(3)


@some(OURS)
async def test_a_cancelled_session_stays_usable(session: Any) -> None:
    for n in range(20):
        task = asyncio.create_task(session.add_items([{"n": n}, {"n": n}]))
        for _ in range(n % 4):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    stored = [item["n"] for item in await session.get_items()]
    assert stored == sorted(stored)
    assert all(stored.count(n) == 2 for n in stored)


# Replacing and overriding


async def test_methods_may_be_replaced_on_an_instance(session: Any) -> None:
    original = session.get_items

    async def louder(limit: int | None = None) -> list[Any]:
        return [{**item, "content": item["content"] + "!"} for item in await original(limit)]

    session.get_items = louder
    session.remark = "people keep their own things on sessions"
    await session.add_items(numbered(1))
    assert await session.get_items() == [{"role": "user", "content": "0!"}]


class Shouting(turnlog.SQLiteSession):
    async def add_items(self, items: Any, *, key: str | None = None) -> None:
        loud = [{**item, "content": item["content"].upper()} for item in items]
        await super().add_items(loud, key=key)

    async def pop_item(self) -> turnlog.Item | None:
        item = await super().pop_item()
        return item and {**item, "popped": True}


HELLO = {"role": "user", "content": "hello"}


async def test_subclasses_call_super() -> None:
    session = Shouting("a")
    await session.add_items([HELLO])
    assert await session.get_items() == [{"role": "user", "content": "HELLO"}]
    assert await session.pop_item() == {"role": "user", "content": "HELLO", "popped": True}


def test_the_blocking_twin_goes_through_the_overrides() -> None:
    twin = sync.BlockingSession(Shouting("a"))
    twin.add_items([HELLO])
    assert twin.get_items() == [{"role": "user", "content": "HELLO"}]
    assert (twin.pop_item() or {})["popped"]


@some(OURS)
async def test_a_wrapper_of_the_sdk_goes_over_ours(session: Any) -> None:
    wrapper = EncryptedSession("a", session, encryption_key="a key for this test alone")
    await wrapper.add_items(numbered(3))
    assert await wrapper.get_items() == numbered(3)
    assert await wrapper.get_items(2) == numbered(2, 1)
    assert "content" not in json.dumps(await session.get_items())
    assert await wrapper.pop_item() == numbered(1, 2)[0]
    await wrapper.clear_session()
    assert await session.get_items() == []


@some(OURS)
async def test_the_runner_passes_no_wrapper(session: Any) -> None:
    """It would, to a session whose methods have a parameter of that name."""
    for verb in (session.get_items, session.add_items, session.pop_item, session.clear_session):
        parameters = inspect.signature(verb).parameters
        assert "wrapper" not in parameters
        assert not any(p.kind is p.VAR_KEYWORD for p in parameters.values())


# The round trip


async def test_what_goes_in_comes_out_key_for_key(session: Any) -> None:
    items = [
        {"z": 1, "a": {"y": [True, None, -0.0, 1.0, 1e-7], "b": {}}, "": []},
        {"content": "Grüße 世界 👩‍🚀 \x00\x1f\u2028", "big": 2**70, "lone": "\udc80"},
    ]
    await session.add_items(items)
    assert await session.get_items() == items
    assert json.dumps(await session.get_items()) == json.dumps(items)


async def test_order_is_that_of_insertion(session: Any) -> None:
    for n in range(30):
        await session.add_items(numbered(2, 2 * n))
    assert await session.get_items() == numbered(60)


# SQLite


@pytest.mark.parametrize("form", [str, Path], ids=["str", "path"])
@pytest.mark.parametrize("make_session", [turnlog.SQLiteSession, turnlog.AsyncSQLiteSession])
async def test_id_and_path_are_positional(make_session: Make, form: Make, path: Path) -> None:
    for _ in range(2):
        session = make_session("a", form(path))
        await session.add_items(numbered(1))
        await close(session)
    session = make_session("a", form(path), "agent_sessions", "agent_messages", {"limit": 1})
    assert await session.get_items() == numbered(1)
    assert len(await session.get_items(5)) == 2
    assert session.session_id == "a"
    assert session.db_path == form(path)
    await close(session)


async def test_a_relative_path_is_that_of_the_moment_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    session = turnlog.SQLiteSession("a", "c.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await session.add_items(numbered(1))
    session.close()
    assert (tmp_path / "c.db").exists()


async def test_close_is_synchronous_and_on_the_async_session_awaited() -> None:
    assert turnlog.SQLiteSession("a").close() is None  # type: ignore[func-returns-value]  # shown to be no coroutine
    assert inspect.iscoroutinefunction(turnlog.AsyncSQLiteSession.close)


@pytest.mark.parametrize("db_path", [":memory:", Path(":memory:")])
@pytest.mark.parametrize("make_session", [turnlog.SQLiteSession, turnlog.AsyncSQLiteSession])
async def test_memory_is_one_database_per_instance(
    make_session: Make, db_path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = make_session("a", db_path), make_session("a", db_path)
    await one.add_items(numbered(1))
    assert await two.get_items() == []
    assert list(tmp_path.iterdir()) == []


async def test_any_thread_and_any_loop(session: Any) -> None:
    """Threads with loops of their own share one instance."""

    def work(number: int) -> None:
        async def talk() -> None:
            for n in range(5):
                await session.add_items([{"by": number, "n": n}])
                assert len(await session.get_items(3)) <= 3

        asyncio.run(talk())

    with ThreadPoolExecutor(8) as pool:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, work, number) for number in range(8)))
    items = await session.get_items()
    assert len(items) == 40
    for number in range(8):
        assert [item["n"] for item in items if item["by"] == number] == list(range(5))


@some([*FILES, "sdk file"])
async def test_others_may_insert_a_session_by_its_id_alone(make: Make, path: Path) -> None:
    await make().add_items(numbered(1))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("INSERT INTO agent_sessions (session_id) VALUES ('b')")
        db.execute("INSERT INTO agent_messages (session_id, message_data) VALUES ('b', '{}')")
    assert await make("b").get_items() == [{}]
    assert await make("a").get_items() == numbered(1)
