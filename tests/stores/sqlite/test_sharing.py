"""Sharing of one file: forks, threads, event loops, and sessions that nobody closes."""

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from turnlog import SQLiteSession
from turnlog.items.json import Item

pytestmark = pytest.mark.anyio


def _item(text: str) -> Item:
    return {"role": "user", "content": text}


def _descriptors_on(path: Path) -> int:
    """How many of this process's descriptors lead to the database file or its companions."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(link)  # noqa: PTH115 - a path that may be gone
        except OSError:
            continue
        count += target.startswith(os.fspath(path))
    return count


def _in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked child; its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_works_on_both_sides_of_a_fork(tmp_path: Path) -> None:
    session = SQLiteSession("session", tmp_path / "file.db")
    asyncio.run(session.add_items([_item("before")]))

    def in_child() -> None:
        asyncio.run(session.add_items([_item("child")]))
        assert len(asyncio.run(session.get_items())) >= 2
        fresh = SQLiteSession("fresh", tmp_path / "file.db")
        asyncio.run(fresh.add_items([_item("fresh")]))

    for _ in range(10):
        assert _in_child(in_child) == 0
        asyncio.run(session.add_items([_item("parent")]))
    texts = [item["content"] for item in asyncio.run(session.get_items())]
    assert texts == ["before", *["child", "parent"] * 10]


def test_a_fork_while_others_write_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    stop = threading.Event()
    written: list[int] = []

    def keep_writing() -> None:
        async def write() -> None:
            session = SQLiteSession("parent", path)
            while not stop.is_set():
                await session.add_items([_item(str(len(written)))])
                written.append(len(written))

        asyncio.run(write())

    thread = threading.Thread(target=keep_writing)
    thread.start()
    try:
        for number in range(10):
            time.sleep(0.01)
            child = SQLiteSession(f"child-{number}", path)
            assert _in_child(lambda child=child: asyncio.run(child.add_items([_item("x")]))) == 0  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()
    items = asyncio.run(SQLiteSession("parent", path).get_items())
    assert [item["content"] for item in items] == [str(n) for n in range(len(written))]
    for number in range(10):
        assert len(asyncio.run(SQLiteSession(f"child-{number}", path).get_items())) == 1


@pytest.mark.parametrize("place", ["file", "memory"])
def test_threads_with_loops_of_their_own_share_a_session(tmp_path: Path, place: str) -> None:
    session = SQLiteSession("session", tmp_path / "file.db" if place == "file" else ":memory:")
    failures: list[BaseException] = []

    def work(name: str) -> None:
        async def add() -> None:
            for number in range(20):
                await session.add_items([_item(f"{name}-{number}")])

        try:
            asyncio.run(add())
        except BaseException as error:  # noqa: BLE001 - told to the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    texts = [item["content"] for item in asyncio.run(session.get_items())]
    for name in map(str, range(6)):
        assert [t for t in texts if t.startswith(name)] == [f"{name}-{n}" for n in range(20)]


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors through /proc")
async def test_a_thousand_sessions_hold_few_descriptors(tmp_path: Path) -> None:
    path = tmp_path / "thousand.db"
    sessions = [SQLiteSession(f"customer-{n}", path) for n in range(1000)]
    await asyncio.gather(*(s.add_items([_item("hello")]) for s in sessions))
    await asyncio.gather(*(s.get_items() for s in sessions))
    assert 0 < _descriptors_on(path) <= 16
    threads = [t for t in threading.enumerate() if t.name.endswith(path.name)]
    assert len(threads) <= 4
    for session in sessions[::100]:
        assert await session.get_items() == [_item("hello")]


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors through /proc")
async def test_sessions_that_nobody_closes_leave_nothing_open(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    for number in range(50):
        await SQLiteSession(f"customer-{number}", path).add_items([_item("hello")])
    gc.collect()
    await _until(lambda: _descriptors_on(path) == 0)


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors through /proc")
async def test_closing_the_store_closes_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    session = SQLiteSession("session", path)
    await session.add_items([_item("hello")])
    await session.store.aclose()
    assert _descriptors_on(path) == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.db"]


async def test_closing_and_making_sessions_by_turns(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    for number in range(100):
        session = SQLiteSession("session", path)
        assert len(await session.get_items()) == number
        await session.add_items([_item(str(number))])
        session.close()


async def test_a_deleted_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    old = SQLiteSession("session", path)
    await old.add_items([_item("old")])
    for file in tmp_path.iterdir():
        file.unlink()
    new = SQLiteSession("session", path)
    assert await new.get_items() == []
    await new.add_items([_item("new")])
    assert await old.get_items() == [_item("new")]


def test_a_process_ends_although_nobody_closes_anything(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from turnlog import SQLiteSession\n"
        "session = SQLiteSession('a', sys.argv[1])\n"
        "asyncio.run(session.add_items([{'n': 1}]))\n"
    )
    path = tmp_path / "file.db"
    status = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code, os.fspath(path)])
    assert status == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.db"]  # folded in and tidy
    assert asyncio.run(SQLiteSession("a", path).get_items()) == [{"n": 1}]


async def _until(holds: Callable[[], bool]) -> None:
    """Wait until `holds`, for half a minute at most."""
    for _ in range(600):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came to hold")
