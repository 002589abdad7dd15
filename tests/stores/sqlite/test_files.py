"""Database files: moved, deleted or replaced while open; their mode and their journal."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from turnlog import (
    FileReplaced,
    Item,
    SQLiteSession,
    open_store,
    sync,
)
from turnlog.records import Log
from turnlog.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.anyio


def _items(numbers: range) -> list[Item]:
    return [{"n": number} for number in numbers]


def _in_file(path: Path) -> list[str]:
    """What a stranger finds in the file once it is closed."""
    db = sqlite3.connect(path)
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in db.execute("SELECT message_data FROM agent_messages ORDER BY id")]
    finally:
        db.close()


async def _filled(path: Path, count: int = 5) -> SQLiteSession:
    session = SQLiteSession("session", path)
    for number in range(count):
        await session.add_items([{"n": number}])
    return session


def _without_log(path: Path) -> None:
    path.with_name("file.db-wal").unlink()


def _without_log_and_index(path: Path) -> None:
    path.with_name("file.db-wal").unlink()
    path.with_name("file.db-shm").unlink()


def _moved(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


@pytest.mark.parametrize("lose", [_without_log, _without_log_and_index])
async def test_a_deleted_log_costs_nothing_that_was_acknowledged(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    path = tmp_path / "file.db"
    session = await _filled(path)
    assert len(await session.get_items()) == 5  # a reader is open too
    lose(path)
    with pytest.raises(FileReplaced, match=r"file\.db, or its -wal, was moved") as caught:
        await session.add_items([{"n": "refused"}])
    assert caught.value.is_unwritten
    await session.add_items([{"n": 5}])
    assert await session.get_items() == _items(range(6))
    await session.store.aclose()
    assert _in_file(path) == [f'{{"n":{n}}}' for n in range(6)]


async def test_a_file_that_was_moved_away_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    path, moved = tmp_path / "file.db", tmp_path / "moved.db"
    session = await _filled(path)
    path.rename(moved)
    with pytest.raises(FileReplaced):
        await session.add_items([{"n": "refused"}])
    await session.add_items([{"n": "new"}])
    assert await session.get_items() == [{"n": "new"}]
    await session.store.aclose()
    assert _in_file(moved)[:5] == [f'{{"n":{n}}}' for n in range(5)]
    assert _in_file(path) == ['{"n":"new"}']


async def test_a_file_moved_away_before_the_last_session_ends_is_whole(tmp_path: Path) -> None:
    path, moved = tmp_path / "file.db", tmp_path / "moved.db"
    session = await _filled(path)
    path.rename(moved)
    await session.store.aclose()
    assert len(_in_file(moved)) == 5


async def test_a_file_put_in_the_place_of_another_is_neither_mixed_nor_missed(
    tmp_path: Path,
) -> None:
    path, backup = tmp_path / "file.db", tmp_path / "backup.db"
    restored = await _filled(backup, 40)
    await restored.store.aclose()
    session = await _filled(path)
    backup.replace(path)
    with pytest.raises(FileReplaced):
        await session.get_items()
    assert await session.get_items() == _items(range(40))
    await session.add_items([{"n": 40}])
    await session.store.aclose()
    assert _in_file(path) == [f'{{"n":{n}}}' for n in range(41)]


async def test_a_new_session_finds_the_new_file_without_an_error(tmp_path: Path) -> None:
    path, backup = tmp_path / "file.db", tmp_path / "backup.db"
    restored = await _filled(backup, 40)
    await restored.store.aclose()
    kept = await _filled(path)
    backup.replace(path)
    assert await SQLiteSession("session", path).get_items() == _items(range(40))
    await kept.add_items([{"n": 40}])
    assert await kept.get_items() == _items(range(41))
    await kept.store.aclose()
    assert len(_in_file(path)) == 41


async def test_everyone_who_writes_together_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    session = await _filled(path)
    path.rename(tmp_path / "moved.db")
    writes = (session.add_items([{"n": n}]) for n in range(10))
    told = await asyncio.gather(*writes, return_exceptions=True)
    # Who came after the transaction that noticed writes to the new file.
    kept = [n for n, error in enumerate(told) if error is None]
    assert len(kept) < 10
    assert all(isinstance(error, FileReplaced) for error in told if error is not None)
    assert await session.get_items() == [{"n": n} for n in kept]


async def test_a_file_that_only_this_process_writes_to_is_never_taken_for_another(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file.db"
    session = await _filled(path, 1)
    for number in range(1, 400):
        # Large enough that the log is folded in and begun anew now and then.
        await session.add_items([{"n": number, "text": "x" * 4000}])
        if number % 40 == 0:
            with sqlite3.connect(path) as other:
                other.execute("VACUUM" if number % 80 == 0 else "PRAGMA wal_checkpoint(TRUNCATE)")
            other.close()
    assert len(await session.get_items()) == 400


# Modes


@pytest.mark.parametrize("journal_mode", ["wal", "truncate"])
async def test_files_that_we_make_are_their_owners_alone(tmp_path: Path, journal_mode: str) -> None:
    before = os.umask(0)
    try:
        store = open_store(f"sqlite:///{tmp_path}/file.db?journal_mode={journal_mode}")
        await store.read(Log("a"))
        await store.append(Log("a"), [b"{}"])
    finally:
        os.umask(before)
    files = sorted(tmp_path.iterdir())
    assert len(files) == (3 if journal_mode == "wal" else 2)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    await store.aclose()


async def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    path.touch()
    path.chmod(0o664)
    session = await _filled(path)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o664}
    session.close()


# Journals


async def _pragma(store: SQLiteStore, name: str) -> object:
    assert store._engine is not None
    rows = await store._engine.write(lambda c: c.execute(f"PRAGMA {name}").fetchone())
    return rows[0]


@pytest.mark.parametrize(
    ("journal_mode", "synchronous"), [("wal", 2), ("truncate", 3), ("delete", 3)]
)
async def test_every_commit_is_flushed_in_every_journal_mode(
    tmp_path: Path, journal_mode: str, synchronous: int
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/file.db?journal_mode={journal_mode}")
    assert isinstance(store, SQLiteStore)
    for name in ("main", ":lease"):
        await store.append(Log("a", name), [b"{}"])
        assert await _pragma(store, "journal_mode") == journal_mode
        # Within a transaction of the caller's, thus after whatever a lease had set.
        assert await _pragma(store, "synchronous") == synchronous
    assert len(await store.read(Log("a"))) == 1
    await store.aclose()


async def test_sessions_take_a_journal_mode(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    session = SQLiteSession("a", path, journal_mode="truncate")
    await session.add_items([{"n": 1}])
    assert not path.with_name("file.db-wal").exists()
    with pytest.raises(ValueError, match="has the file open with journal_mode='truncate'"):
        await SQLiteSession("a", path).get_items()
    await session.store.aclose()
    twin = sync.SQLiteSession(path, session_id="a", journal_mode="delete")
    twin.add_items([{"n": 2}])
    assert twin.get_items() == [{"n": 1}, {"n": 2}]
    twin.close()
    with pytest.raises(ValueError, match="journal_mode must be one of wal, truncate, delete"):
        SQLiteSession("a", path, journal_mode="off")  # type: ignore[arg-type]


async def test_a_replaced_file_is_noticed_in_every_journal_mode(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    session = SQLiteSession("a", path, journal_mode="delete")
    await session.add_items([{"n": 0}])
    path.rename(tmp_path / "moved.db")
    with pytest.raises(FileReplaced):
        await session.add_items([{"n": "refused"}])
    await session.add_items([{"n": 1}])
    assert await session.get_items() == [{"n": 1}]
    session.close()


# The index of a write-ahead log has 32 KB at least; the kernel lets no file grow so far.
_NO_SHARED_MEMORY = """
    import asyncio, resource, signal, sqlite3, sys
    from turnlog import SQLiteSession

    async def main(path):
        await SQLiteSession("a", path, journal_mode="truncate").store.aclose()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000))
        try:
            await SQLiteSession("a", path).add_items([{"n": 1}])
        except sqlite3.OperationalError as error:
            print(error, *error.__notes__)

    asyncio.run(main(sys.argv[1]))
"""


def test_where_there_is_no_shared_memory_the_error_says_so(tmp_path: Path) -> None:
    code = textwrap.dedent(_NO_SHARED_MEMORY)
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "file.db"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "needs shared memory in a file beside the database" in done.stdout, done.stderr
    assert "choose journal_mode='truncate'" in done.stdout
    assert "database file: " in done.stdout


# Processes that are killed after the files were taken from under them

_STUBBORN = """
    import asyncio, sys
    from turnlog import FileReplaced, SQLiteSession

    async def main(path, name):
        session, number = SQLiteSession(name, path), 0
        while True:
            try:
                await session.add_items([{"n": number}])
            except FileReplaced:
                print("told", flush=True)
            else:
                print(number, flush=True)
                number += 1

    asyncio.run(main(*sys.argv[1:]))
"""


# Of several writers, a log that is deleted by hand can cost what one of them wrote: docs/stores.md.
@pytest.mark.parametrize(
    ("lose", "writers"),
    [(_without_log, 1), (_without_log_and_index, 1), (_moved, 1), (_moved, 3)],
)
def test_kill_9_after_a_loss_takes_nothing_that_was_acknowledged(
    tmp_path: Path, lose: Callable[[Path], None], writers: int
) -> None:
    path = tmp_path / "file.db"
    with ExitStack() as stack:
        processes = [_stubborn(stack, path, f"w{number}") for number in range(writers)]
        lines = [_until(process, "20") for process in processes]
        lose(path)
        for process, seen in zip(processes, lines, strict=True):
            seen.extend([*_until(process, "told"), *(_line(process) for _ in range(20))])
        for process in processes:
            process.kill()
    kept = {row for file in tmp_path.glob("*.db") for row in _rows(file)}
    for number, seen in enumerate(lines):
        acknowledged = {(f"w{number}", f'{{"n":{n}}}') for n in seen if n.isdigit()}
        assert len(acknowledged) > 40
        assert acknowledged <= kept


def _stubborn(stack: ExitStack, path: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(_STUBBORN), str(path), name]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    return process


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    lines = [_line(process)]
    while lines[-1] != wanted:
        lines.append(_line(process))
        assert lines[-1], "the writer has ended"
    return lines


def _rows(path: Path) -> list[tuple[str, str]]:
    db = sqlite3.connect(path)
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return db.execute("SELECT session_id, message_data FROM agent_messages").fetchall()
    finally:
        db.close()
