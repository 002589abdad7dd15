"""Connections to one file: how they are opened, and how a lock is waited out."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from turnlog.stores.sqlite.files import FileId, create, file_id, remove_log, wal_of

__all__ = [
    "JournalMode",
    "check_journal_mode",
    "fold_in",
    "is_busy",
    "open_reader",
    "open_writer",
    "patiently",
    "unflushed",
]

#: How SQLite makes a commit atomic. Only "wal" needs shared memory beside the file.
JournalMode: TypeAlias = Literal["wal", "truncate", "delete"]
_JOURNAL_MODES = ("wal", "truncate", "delete")

T = TypeVar("T")

# A WAL file that is written over costs a much cheaper flush than one that grows.
# So it is folded into the database early, and from then on it stays this short.
_WAL_PAGES = 200

# How many seconds a log that was moved is tried to be folded in; it takes milliseconds.
_FOLDING = 5.0

# SQLite's own wait sleeps up to 100 ms between its tries and is unfair: under a
# steady stream of foreign commits it can starve. Short uneven naps can't.
_NAPS = (0.0005, 0.003)


class Connection(sqlite3.Connection):
    """A connection that knows which write-ahead log it is on."""

    #: None while it uses another kind of journal.
    wal: FileId | None = None


def check_journal_mode(mode: str) -> JournalMode:
    """`mode`, if it is one."""
    for known in _JOURNAL_MODES:
        if mode == known:
            return known  # type: ignore[return-value] # each of them is one
    raise ValueError(f"journal_mode is one of {', '.join(_JOURNAL_MODES)}")


def open_writer(path: Path, timeout: float, journal_mode: JournalMode) -> Connection:
    """The connection that writes: every commit is flushed to the disk."""

    def attempt() -> Connection:
        db = _connect(path, timeout=0)
        try:
            _set_journal(db, path, journal_mode)
            # A rollback journal is gone for certain only when its folder is on the disk too.
            db.execute(f"PRAGMA synchronous = {'FULL' if db.wal else 'EXTRA'}")
            db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        except BaseException:
            db.close()
            raise
        return db

    return patiently(attempt, timeout)


@contextmanager
def unflushed(cursor: sqlite3.Cursor) -> Iterator[None]:
    """Within, commits of a writer don't wait for the disk; the next one that does, flushes them.

    With a rollback journal they wait all the same: unflushed, it could corrupt the file.
    """
    if not isinstance(cursor.connection, Connection) or cursor.connection.wal is None:
        yield
        return
    cursor.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        cursor.execute("PRAGMA synchronous = FULL")


def open_reader(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection that can't write, and hands out text as the bytes that are stored."""
    db = _connect(path, timeout=timeout)
    try:
        db.execute("PRAGMA query_only = ON")
        [used] = db.execute("PRAGMA journal_mode").fetchone()
        _note_log(db, path, used)
        db.text_factory = bytes
    except BaseException as error:
        db.close()
        if isinstance(error, sqlite3.Error) and _lacks_shared_memory(error):
            raise _without_shared_memory(error) from error
        raise
    return db


def fold_in(db: Connection, path: Path) -> None:
    """Write the log into the file that is open, wherever that lies, and clear its path.

    SQLite would take a log or an index that stays there for those of the next file, and
    other processes may still use them for this one.
    """
    db.execute("PRAGMA busy_timeout = 5000")
    db.execute("PRAGMA query_only = OFF")
    # SQLite itself doesn't wait for another process that is just doing the same.
    deadline = time.monotonic() + _FOLDING
    while db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() >= deadline:
            return
        time.sleep(_NAPS[1])
    # One process at a time. What others commit to this log from now on, they don't acknowledge.
    db.execute("BEGIN IMMEDIATE")
    try:
        remove_log(path, db.wal)
    finally:
        db.execute("ROLLBACK")


def patiently(attempt: Callable[[], T], timeout: float) -> T:
    """Call `attempt` until no other process holds the lock, for `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
        time.sleep(random.uniform(*_NAPS))  # noqa: S311 - spreads the tries, guards nothing


def _connect(path: Path, timeout: float) -> Connection:
    create(path)
    # A worker thread opens it; before a fork, the forking thread closes it.
    return sqlite3.connect(
        path, timeout=timeout, isolation_level=None, check_same_thread=False, factory=Connection
    )


def _set_journal(db: Connection, path: Path, mode: JournalMode) -> None:
    try:
        [used] = db.execute(f"PRAGMA journal_mode = {mode}").fetchone()
        _note_log(db, path, used)
    except sqlite3.OperationalError as error:
        if mode == "wal" and _lacks_shared_memory(error):
            raise _without_shared_memory(error) from error
        # What can't be written can still be read.
        if _code(error) != sqlite3.SQLITE_READONLY:
            raise


def _note_log(db: Connection, path: Path, journal_mode: str) -> None:
    if journal_mode == "wal":
        db.execute("PRAGMA user_version").fetchone()  # opens the log
        db.wal = file_id(wal_of(path))


def _lacks_shared_memory(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) in {
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
        sqlite3.SQLITE_IOERR_SHMLOCK,
    }


def _without_shared_memory(error: sqlite3.Error) -> sqlite3.OperationalError:
    told = sqlite3.OperationalError(
        "journal_mode 'wal' needs shared memory in a file beside the database, and this file "
        "system gives none (network file systems don't, nor does a full disk): move the "
        "database to a local disk, or choose journal_mode='truncate'"
    )
    told.sqlite_errorcode = error.sqlite_errorcode
    told.sqlite_errorname = error.sqlite_errorname
    return told


def is_busy(error: Exception) -> bool:
    """Whether another connection's lock was in the way."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: Exception) -> int:
    """The primary result code of an SQLite error; the higher bits only refine it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
