"""Faults of SQLite: cancellation, full disks, read-only files and broken rows."""

import asyncio
import logging
import os
import random
import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from turnlog import SQLiteSession
from turnlog.changes import Append, Committed, Remove
from turnlog.errors import InvalidItem, SchemaError
from turnlog.items.json import Item
from turnlog.records import Log
from turnlog.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.anyio


def _batch(number: int, size: int = 5) -> list[Item]:
    return [{"batch": number, "place": place} for place in range(size)]


async def test_a_cancelled_write_is_there_or_not_at_all(tmp_path: Path) -> None:
    dice = random.Random(7)
    session = SQLiteSession("session", tmp_path / "file.db")
    await session.add_items([{"role": "user", "content": "first"}])
    for number in range(150):
        before = await session.get_items()
        writing = asyncio.create_task(session.add_items(_batch(number)))
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(dice.choice([0, 0.0001, 0.0003]))
        writing.cancel()
        cancelled = (await asyncio.gather(writing, return_exceptions=True))[0] is not None
        after = await session.get_items()
        assert after in ([*before, *_batch(number)], before)
        assert cancelled or len(after) > len(before)
        # The outcome was known when the call ended: nothing comes late.
        await asyncio.sleep(0.0005)
        assert await session.get_items() == after


async def test_cancelling_twice_still_waits_for_the_outcome(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    session = SQLiteSession("session", path)
    await session.add_items(_batch(0))
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(session.add_items(_batch(1)))
    for _ in range(3):
        await asyncio.sleep(0.01)
        writing.cancel()
    await asyncio.sleep(0.01)
    assert not writing.done()
    blocker.execute("ROLLBACK")
    blocker.close()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await session.get_items() == [*_batch(0), *_batch(1)]


async def test_timeout_around_a_write_raises_once_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    session = SQLiteSession("session", path)
    await session.add_items(_batch(0))
    blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")

    async def add(limit: asyncio.Timeout) -> None:
        async with limit:
            await session.add_items(_batch(1))

    limit = asyncio.timeout(0.02)
    adding = asyncio.create_task(add(limit))
    while not limit.expired():  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)
    assert not adding.done()
    blocker.close()
    with pytest.raises(TimeoutError):
        await adding
    assert await session.get_items() == [*_batch(0), *_batch(1)]


# The child's writes stop at a file size that the kernel enforces, for root too.
_FULL_DISK = """
    import asyncio, resource, signal, sqlite3, sys
    from turnlog import SQLiteSession

    async def main(path):
        session = SQLiteSession("session", path)
        other = SQLiteSession("other", path)
        await session.add_items([{"n": n} for n in range(3)])
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, unlimited[1]))
        big = [{"n": n, "text": "x" * 2000} for n in range(500)]
        failed = await asyncio.gather(
            session.add_items(big), other.add_items(big), return_exceptions=True
        )
        for error in failed:
            assert isinstance(error, sqlite3.OperationalError), error
            assert "full" in str(error) or "disk I/O error" in str(error), error
            assert any("database file" in note for note in error.__notes__)
        assert await session.get_items() == [{"n": n} for n in range(3)]
        assert await other.get_items() == []
        await session.add_items([{"small": "enough"}])
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        await session.add_items(big)
        assert len(await session.get_items()) == 504
        print("survived")

    asyncio.run(main(sys.argv[1]))
"""


def _python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def test_a_full_disk_leaves_whole_batches_and_a_usable_session(tmp_path: Path) -> None:
    done = _python(_FULL_DISK, tmp_path / "file.db")
    assert done.stdout == "survived\n", done.stderr


async def test_a_database_at_its_limit_says_that_it_is_full(tmp_path: Path) -> None:
    session = SQLiteSession("session", tmp_path / "file.db")
    await session.add_items(_batch(0))
    engine = session.store._engine  # type: ignore[attr-defined]
    await engine.write(lambda cursor: cursor.connection)  # the writer's connection is open
    cursor = engine._writer.cursor()
    with engine._writer.lock:
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        await session.add_items([{"text": "x" * 100_000}])
    assert await session.get_items() == _batch(0)
    await session.add_items(_batch(1))
    assert await session.get_items() == [*_batch(0), *_batch(1)]


_READ_ONLY = """
    import asyncio, os, sqlite3, sys
    from turnlog import SQLiteSession

    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    async def main(path):
        session = SQLiteSession("session", path)
        assert len(await session.get_items()) == 5
        for attempt in range(2):
            try:
                await session.add_items([{"n": 1}])
            except sqlite3.OperationalError as error:
                assert "readonly" in str(error), error
                assert path in error.__notes__[0]
            else:
                raise AssertionError("a read-only file was written to")
        assert len(await session.get_items()) == 5
        print("refused")

    asyncio.run(main(sys.argv[1]))
"""


async def test_a_read_only_file_is_read_and_says_why_it_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    session = SQLiteSession("session", path)
    await session.add_items(_batch(0))
    await session.store.aclose()
    for folder in (tmp_path, *tmp_path.parents):
        opened = folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH
        if opened != folder.stat().st_mode:
            folder.chmod(opened)
    path.chmod(0o444)
    # SQLite reads a WAL file beside a database only if it may make one.
    tmp_path.chmod(0o777)
    done = _python(_READ_ONLY, path)
    assert done.stdout == "refused\n", done.stderr


async def test_a_foreign_lock_is_waited_out(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    session = SQLiteSession("session", path)
    await session.add_items(_batch(0))
    blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.2, blocker.close)
    await session.add_items(_batch(1))
    assert len(await session.get_items()) == 10


async def test_a_lock_that_stays_is_told_to_each_caller(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    store = SQLiteStore(path, patience=0.2)
    await store.append(Log("a"), [b"{}"])
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    writes = (store.append(Log(name), [b"{}"]) for name in "abc")
    errors = await asyncio.gather(*writes, return_exceptions=True)
    blocker.close()
    for error in errors:
        assert isinstance(error, sqlite3.OperationalError)
        assert "locked" in str(error)
        assert error.__notes__ == [f"database file: {path}"]
    assert len({id(error) for error in errors}) == 3
    assert len(await store.read(Log("a"))) == 1
    await store.append(Log("b"), [b"{}"])


async def test_a_corrupt_row_hides_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file.db"
    session = SQLiteSession("session", path)
    await session.add_items([{"n": n} for n in range(6)])
    broken = {2: "{secret", 3: b"\xff\xfe\x00", 6: '"just text"'}
    with sqlite3.connect(path) as db:
        for position, data in broken.items():
            db.execute("UPDATE agent_messages SET message_data = ? WHERE id = ?", (data, position))
    db.close()
    with caplog.at_level(logging.WARNING):
        assert await session.get_items() == [{"n": 0}, {"n": 3}, {"n": 4}]
        assert await session.get_items(2) == [{"n": 3}, {"n": 4}]
        assert await session.get_items(3) == [{"n": 0}, {"n": 3}, {"n": 4}]
        assert await session.get_items(9) == [{"n": 0}, {"n": 3}, {"n": 4}]
    assert session.unreadable == {2, 3, 6}
    assert len(caplog.records) == 3  # each is told of once
    assert "secret" not in caplog.text
    assert await session.pop_item() == {"n": 4}
    assert [r.position for r in await session.store.read(Log("session"))] == [1, 2, 3, 4]
    assert await session.pop_item() == {"n": 3}
    assert await session.pop_item() == {"n": 0}
    assert await session.pop_item() is None


async def test_two_pops_never_return_the_same_item(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    first, second = (SQLiteSession("session", path) for _ in range(2))
    await first.add_items([{"n": n} for n in range(40)])
    popped = await asyncio.gather(*(s.pop_item() for s in (first, second) for _ in range(20)))
    assert sorted(item["n"] for item in popped if item) == list(range(40))
    assert await first.pop_item() is None


async def test_a_retry_with_the_same_key_stores_once(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    sessions = [SQLiteSession("session", path) for _ in range(8)]
    await asyncio.gather(*(s.add_items(_batch(1), key="turn-1") for s in sessions))
    await sessions[0].add_items(_batch(2), key="turn-2")
    await sessions[1].add_items(_batch(1), key="turn-1")
    assert await sessions[0].get_items() == [*_batch(1), *_batch(2)]


async def test_an_invalid_item_writes_nothing(tmp_path: Path) -> None:
    session = SQLiteSession("session", tmp_path / "file.db")
    with pytest.raises(InvalidItem) as caught:
        await session.add_items(
            [{"role": "user", "content": "x"}, {"content": [{"data": b"top secret"}]}]
        )
    assert caught.value.path == "items[1].content[0].data"
    assert "top secret" not in str(caught.value)
    assert await session.get_items() == []
    assert not await session.store.sessions()


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    session = SQLiteSession("session", path)
    await session.add_items(_batch(0))
    await session.store.aclose()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE turnlog_schema SET version = 99")
    db.close()
    with pytest.raises(SchemaError, match="upgrade turnlog"):
        await SQLiteSession("session", path).get_items()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and many of them\n" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database") as caught:
        await SQLiteSession("session", path).get_items()
    assert os.fspath(path) in caught.value.__notes__[0]
    assert "choose another path" in caught.value.__notes__[0]
    assert path.read_text().startswith("these are notes")


@pytest.mark.parametrize(
    ("place", "cure"),
    [("missing/chats.db", "its folder is missing: make it first"), (".", "name a file in it")],
    ids=["missing", "folder"],
)
async def test_a_path_that_can_not_be_opened_is_told_with_the_cure(
    tmp_path: Path, place: str, cure: str
) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open") as caught:
        await SQLiteSession("session", tmp_path / place).get_items()
    assert os.fspath(tmp_path / place) in caught.value.__notes__[0]
    assert cure in caught.value.__notes__[0]


async def test_only_leases_do_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SQLiteStore(tmp_path / "a.db")
    lease, log = Log("s").beside("lease"), Log("s")
    flushes: list[int] = []

    def note(cursor: sqlite3.Cursor, *_: object) -> Committed:
        flushes.append(cursor.execute("PRAGMA synchronous").fetchone()[0])
        return Committed((0,))

    await store.append(log, [b"{}"])
    monkeypatch.setattr("turnlog.stores.sqlite.jobs.commit", note)
    for each in (lease, log, lease, lease, log):
        await store.append(each, [b"{}"])
    # A write that waits takes along those of its transaction that needn't.
    await asyncio.gather(store.append(lease, [b"{}"]), store.append(log, [b"{}"]))
    assert flushes[:5] == [1, 2, 1, 1, 2]
    assert flushes[-1] == 2
    await store.commit("s", [Append(lease.name, [b"{}"]), Append("main", [b"{}"])])
    await store.commit("s", [Append(lease.name, [b"{}"]), Remove(":queue")])
    assert flushes[-2:] == [2, 1]
    await store.aclose()
