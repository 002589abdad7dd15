"""Blocking twins: from threads, notebooks and running loops, on every kind of store."""

import asyncio
import contextvars
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

import turnlog
from tests.servers.databases import PostgresServer
from tests.servers.redis import RedisServer
from tests.sync.calls import Slow, in_thread, thread_of_the_loop
from turnlog import (
    Agent,
    InvalidItem,
    Item,
    ModelRequest,
    ModelResponse,
    Runner,
    SessionABC,
    SessionSettings,
    StoreClosed,
    function_tool,
    sync,
)
from turnlog.stores.memory import MemoryStore

HELLO: Item = {"role": "user", "content": "Hello"}

HI: Item = {"role": "assistant", "content": "Hi"}


def test_the_documented_form(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    settings = SessionSettings(limit=10)
    session = sync.SQLiteSession(path, session_id="user_123", settings=settings)
    session.add_items([HELLO] * 12)
    assert session.get_items() == [HELLO] * 10
    assert len(session.get_items(11)) == 11
    assert session.get_items(0) == []
    assert session.session_id == "user_123"
    assert session.session_settings == settings
    session.close()


def test_undo_and_clear() -> None:
    with sync.SQLiteSession(session_id="a") as session:
        session.add_items([HELLO, HI])
        assert session.pop_item() == HI
        assert session.get_items() == [HELLO]
        session.clear_session()
        assert session.get_items() == []
        assert session.pop_item() is None


def test_settings_that_are_assigned_later_take_effect() -> None:
    session = sync.SQLiteSession(session_id="a", session_settings={"limit": 5})
    session.add_items([HELLO, HI])
    session.session_settings = SessionSettings(limit=1)
    assert session.get_items() == [HI]


def test_the_file_is_shared_with_the_async_session(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with sync.SQLiteSession(path, session_id="a", messages_table="m", sessions_table="s") as twin:
        twin.add_items([HELLO])

    async def read() -> list[Item]:
        session = turnlog.SQLiteSession("a", path, "s", "m")
        items = await session.get_items()
        session.close()
        return items

    assert asyncio.run(read()) == [HELLO]


def test_after_close_every_verb_raises() -> None:
    session = sync.SQLiteSession(session_id="a")
    session.close()
    session.close()
    for verb in (session.get_items, session.pop_item, session.clear_session):
        with pytest.raises(StoreClosed, match="SQLiteSession is closed"):
            verb()
    with pytest.raises(StoreClosed):
        session.add_items([])


def test_a_session_over_any_store() -> None:
    twin = sync.StoredSession("a", MemoryStore(), branch="b")
    sync.run(twin.session.add_items, [HELLO])
    assert twin.get_items() == [HELLO]


def test_what_the_session_can_do_beyond_the_four_verbs() -> None:
    session = turnlog.SQLiteSession("a")
    for _ in range(2):
        sync.run(session.add_items, [HELLO], key="order-17")
    assert sync.BlockingSession(session).get_items() == [HELLO]


def test_a_session_whose_close_is_awaited() -> None:
    twin = sync.blocking(turnlog.AsyncSQLiteSession)("a", ":memory:")
    twin.close()
    with pytest.raises(StoreClosed):
        twin.get_items()


class Scrapbook(SessionABC):
    """A stranger's session: no limit, no close."""

    def __init__(self) -> None:
        self.session_id = "mine"
        self.items: list[Item] = []

    async def get_items(self) -> list[Item]:  # type: ignore[override]  # as people write it
        return self.items

    async def add_items(self, items: list[Item]) -> None:
        self.items += items

    async def clear(self) -> None:
        self.items.clear()


def test_a_strangers_session() -> None:
    with sync.BlockingSession(Scrapbook()) as twin:  # type: ignore[arg-type]  # see get_items
        twin.add_items([HELLO])
        assert twin.get_items() == [HELLO]
        with pytest.raises(NotImplementedError, match="Scrapbook"):
            twin.pop_item()
        twin.clear_session()
        assert twin.get_items() == []


def test_many_threads_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.db"

    def chat(name: str) -> list[Item]:
        with sync.SQLiteSession(path, session_id=name) as session:
            for turn in range(10):
                session.add_items([{"n": turn}, {"of": name}])
            return session.get_items()

    names = [f"user {n}" for n in range(32)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(chat, names))
    for name, items in zip(names, found, strict=True):
        assert items == [item for n in range(10) for item in ({"n": n}, {"of": name})]


def test_many_threads_share_one_session_and_one_loop() -> None:
    session = sync.SQLiteSession(session_id="a")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: session.add_items([{"n": n}]), range(200)))
        threads = set(pool.map(lambda _: sync.run(thread_of_the_loop), range(32)))
    assert sorted(item["n"] for item in session.get_items()) == list(range(200))
    assert len(threads) == 1


@pytest.mark.anyio
async def test_inside_a_running_loop() -> None:
    session = sync.SQLiteSession(session_id="a")
    session.add_items([HELLO])
    assert session.get_items() == [HELLO]


def test_on_the_loop_that_it_needs_itself_it_refuses() -> None:
    class Inside(turnlog.SQLiteSession):
        async def get_items(self, limit: int | None = None) -> list[Item]:
            return twin.get_items(limit)

    twin = sync.BlockingSession(Inside("a"))
    with pytest.raises(RuntimeError, match="await the session itself"):
        twin.get_items()
    twin.add_items([HELLO])


def test_errors_keep_their_type_and_show_both_sides() -> None:
    session = sync.SQLiteSession(session_id="a")
    with pytest.raises(InvalidItem, match=r"items\[0\]\.data") as caught:
        session.add_items([{"data": b"raw"}])
    functions = [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert functions[0] == "test_errors_keep_their_type_and_show_both_sides"
    assert "encode_all" in functions


def test_a_call_sees_its_callers_context() -> None:
    colour = contextvars.ContextVar("colour", default="grey")

    async def look() -> str:
        return colour.get()

    assert sync.run(look) == "grey"
    colour.set("blue")
    assert sync.run(look) == "blue"


# Runs


def test_a_tool_that_exits_has_failed_like_any_other() -> None:
    @function_tool
    def leave() -> str:
        sys.exit(3)

    class Model:
        async def respond(self, request: ModelRequest) -> ModelResponse:
            if len(request.items) > 1:
                return ModelResponse(
                    [{"role": "assistant", "content": request.items[-1]["output"]}]
                )
            call = {"call_id": "c", "name": "leave", "arguments": "{}"}
            return ModelResponse([{"type": "function_call", **call}])

    result = Runner.run_sync(Agent("A", model=Model(), tools=[leave]), "go")
    assert "The tool failed (RuntimeError)" in result.final_output


def test_a_run_that_is_interrupted_is_cancelled() -> None:
    session, slow = turnlog.SQLiteSession("a"), Slow()

    class Model:
        async def respond(self, _request: object) -> ModelResponse:
            await slow()
            return ModelResponse([HI])

    thread = in_thread(slow.interrupt_and_await_the_cancellation)
    with pytest.raises(KeyboardInterrupt):
        Runner.run_sync(Agent("A", model=Model()), "go", session=session)
    thread.join()
    assert not slow.ended
    assert [item["content"] for item in sync.run(session.get_items)] == ["go"]


def test_runs_take_blocking_twins() -> None:
    with sync.SQLiteSession(session_id="a") as session:
        Runner.run_sync(Agent("A"), "My name is Alice", session=session)
        assert "Alice" in Runner.run_sync(Agent("A"), "My name?", session=session).final_output
        assert len(session.get_items()) == 4


# On servers


def talk(session: sync.BlockingSession) -> None:
    with session:
        session.add_items([HELLO, HI])
        assert session.get_items() == [HELLO, HI]
        assert session.pop_item() == HI
        session.clear_session()
        assert session.get_items() == []


def test_twins_on_redis(redis: RedisServer) -> None:
    talk(sync.RedisSession.from_url("a", redis.url, key_prefix="twins"))
    client = Redis.from_url(redis.url)
    talk(sync.RedisSession("a", redis_client=client, key_prefix="twins"))
    sync.run(client.aclose)


def test_twins_on_postgresql(postgres: PostgresServer) -> None:
    url = postgres.url(postgres.fresh_database())
    talk(sync.SQLAlchemySession.from_url("a", url=url))
    engine = create_async_engine(url)
    talk(sync.SQLAlchemySession("a", engine))
    sync.run(engine.dispose)


def test_twins_over_a_blocking_engine(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    talk(sync.SQLAlchemySession("a", engine))
    engine.dispose()


def test_there_are_no_others() -> None:
    with pytest.raises(AttributeError, match="no attribute 'MongoDBSession'"):
        getattr(sync, "MongoDBSession")  # noqa: B009 - a constant that the type checker can't see
