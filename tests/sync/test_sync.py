"""The blocking twins: from threads, notebooks and forked children, interrupted, and at exit."""

import asyncio
import contextvars
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

import turnlog
from tests.servers.databases import PostgresServer
from tests.servers.redis import RedisServer
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

pytestmark = pytest.mark.usefixtures("interrupts")

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
        threads = set(pool.map(lambda _: sync.run(_thread_of_the_loop), range(32)))
    assert sorted(item["n"] for item in session.get_items()) == list(range(200))
    assert len(threads) == 1


async def _thread_of_the_loop() -> int:
    return threading.get_ident()


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


# Interrupts


def interrupt_main() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


class Slow:
    """A call that has begun, and ends when it is let."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.ended = False
        self._error = error

    async def __call__(self) -> None:
        self.begun.set()
        await asyncio.to_thread(self.may_end.wait)
        self.ended = True
        if self._error is not None:
            raise self._error

    def interrupt_and_let_end(self) -> None:
        self.begun.wait()
        interrupt_main()
        time.sleep(0.05)  # long enough for an interrupt that doesn't wait to be noticed
        self.may_end.set()


def interrupt_soon_after(beginning: threading.Event) -> None:
    beginning.wait()
    time.sleep(random.uniform(0.005, 0.02))
    interrupt_main()


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_an_interrupt_comes_out_when_the_call_has_ended() -> None:
    slow = Slow()
    thread = in_thread(slow.interrupt_and_let_end)
    with pytest.raises(KeyboardInterrupt) as caught:
        sync.run(slow)
    assert slow.ended
    assert caught.value.__cause__ is None
    thread.join()


def test_an_interrupt_tells_why_the_call_failed() -> None:
    error = OSError("disk full")
    slow = Slow(error)
    thread = in_thread(slow.interrupt_and_let_end)
    with pytest.raises(KeyboardInterrupt) as caught:
        sync.run(slow)
    assert caught.value.__cause__ is error
    thread.join()


def test_a_second_interrupt_does_not_wait() -> None:
    slow = Slow()

    def interrupt_twice() -> None:
        slow.begun.wait()
        interrupt_main()
        time.sleep(0.05)  # two signals at once would be one
        interrupt_main()

    thread = in_thread(interrupt_twice)
    with pytest.raises(KeyboardInterrupt):
        sync.run(slow)
    assert not slow.ended
    thread.join()
    slow.may_end.set()


def test_a_call_that_is_interrupted_before_it_began_never_begins() -> None:
    busy, free = threading.Event(), threading.Event()
    begun = []

    async def hog() -> None:
        busy.set()
        free.wait()

    async def work() -> None:
        begun.append(True)

    hogging = in_thread(lambda: sync.run(hog))
    busy.wait()
    waiting = threading.Event()
    interrupting = in_thread(partial(interrupt_soon_after, waiting))

    def wait() -> None:
        waiting.set()
        sync.run(work)

    with pytest.raises(KeyboardInterrupt):
        wait()
    free.set()
    hogging.join()
    interrupting.join()
    sync.run(_thread_of_the_loop)  # whatever was queued before has run by then
    assert begun == []


def test_a_write_that_is_interrupted_is_there_afterwards(tmp_path: Path) -> None:
    session = sync.SQLiteSession(tmp_path / "c.db", session_id="a")
    written: list[int] = []

    def write_on(writing: threading.Event) -> None:
        writing.set()
        while True:
            session.add_items([{"n": len(written)}])
            written.append(len(written))

    for _ in range(10):
        writing = threading.Event()
        thread = in_thread(partial(interrupt_soon_after, writing))
        with pytest.raises(KeyboardInterrupt):
            write_on(writing)
        thread.join()
    numbers = [item["n"] for item in session.get_items()]
    assert set(written) <= set(numbers)
    assert numbers == sorted(numbers)
    session.close()


# Forks


def exit_code_of_child(work: Callable[[], bool]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            signal.alarm(60)
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_has_a_loop_of_its_own(tmp_path: Path) -> None:
    session = sync.SQLiteSession(tmp_path / "c.db", session_id="a")
    session.add_items([{"by": "parent"}])

    def go_on() -> bool:
        session.add_items([{"by": "child"}])
        return len(session.get_items()) == 2

    assert exit_code_of_child(go_on) == 0
    session.add_items([{"by": "parent"}])
    assert [item["by"] for item in session.get_items()] == ["parent", "child", "parent"]
    session.close()


def test_a_fork_while_calls_are_under_way(tmp_path: Path) -> None:
    session = sync.SQLiteSession(tmp_path / "c.db", session_id="a")
    session.add_items([{"by": "parent"}] * 5)
    slow, stop = Slow(), threading.Event()
    waiting = in_thread(lambda: sync.run(slow))

    def write_on() -> None:
        while not stop.is_set():
            session.add_items([{"by": "parent"}])

    writing = in_thread(write_on)
    slow.begun.wait()
    codes = [exit_code_of_child(lambda: session.pop_item() is not None) for _ in range(5)]
    stop.set()
    slow.may_end.set()
    writing.join()
    waiting.join()
    assert codes == [0] * 5
    assert slow.ended
    session.close()


def test_a_fork_while_the_loops_lock_is_held() -> None:
    session = sync.SQLiteSession(session_id="a")
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with sync.loop._lock:
            held.set()
            let_go.wait()

    holding = in_thread(hold)
    held.wait()
    code = exit_code_of_child(lambda: session.get_items() == [])
    let_go.set()
    holding.join()
    assert code == 0


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

    thread = in_thread(slow.interrupt_and_let_end)
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
        sync.MongoDBSession  # noqa: B018 - looking it up is the point


# The end of the process


def end_of(script: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """How a process that runs `script` ends, with every warning on."""
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


OPEN = "from turnlog.sync import *; s = SQLiteSession('c.db', session_id='a');"


@pytest.mark.parametrize(
    "script",
    [
        "s.add_items([{'n': 1}])",
        "s.add_items([{'n': 1}]); s.close()",
        "s.add_items([{'n': 1}]); raise SystemExit(0)",
        """import asyncio, threading
begun = threading.Event()
async def wait():
    begun.set()
    await asyncio.sleep(1e6)
threading.Thread(target=run, args=[wait], daemon=True).start()
begun.wait()
s.add_items([{'n': 1}])""",
        """import threading
threading.Thread(target=s.add_items, args=[[{'n': 1}]]).start()""",
    ],
    ids=["unclosed", "closed", "exit", "a daemon thread waits", "a thread writes"],
)
def test_the_process_ends_in_silence(script: str, tmp_path: Path) -> None:
    ended = end_of(f"{OPEN}\n{script}", tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    with sync.SQLiteSession(tmp_path / "c.db", session_id="a") as session:
        assert session.get_items() == [{"n": 1}]


def test_an_exit_function_that_runs_after_ours_still_works(tmp_path: Path) -> None:
    script = f"""import atexit
atexit.register(lambda: (s.add_items([{{'n': 2}}]), print(len(s.get_items()))))
{OPEN}
s.add_items([{{'n': 1}}])"""
    ended = end_of(script, tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "2\n", "")


@pytest.mark.parametrize(
    "modules", ["sync.loop, turnlog.stores.sqlite", "stores.sqlite, turnlog.sync.loop"]
)
def test_the_loop_ends_before_the_stores_that_it_works_on(modules: str, tmp_path: Path) -> None:
    script = f"""import turnlog.{modules}
from turnlog.stores.sqlite import registry
from turnlog.sync import loop
class Loop:
    def end(self):
        print("loop")
class Engines(dict):
    def values(self):
        print("stores")
        return []
loop._running, registry._engines = Loop(), Engines()"""
    assert end_of(script, tmp_path).stdout == "loop\nstores\n"


def test_what_a_daemon_thread_was_told_is_stored_is_there(tmp_path: Path) -> None:
    script = f"""import os, threading
{OPEN}
enough = threading.Event()
def write():
    for n in range(1_000_000):
        s.add_items([{{'n': n}}])
        os.write(1, b'%d\\n' % n)
        if n == 20:
            enough.set()
threading.Thread(target=write, daemon=True).start()
enough.wait()"""
    ended = end_of(script, tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    told = [int(line) for line in ended.stdout.split()]
    with sync.SQLiteSession(tmp_path / "c.db", session_id="a") as session:
        stored = [item["n"] for item in session.get_items()]
    assert stored[: len(told)] == told
    assert len(told) <= len(stored) <= len(told) + 1
