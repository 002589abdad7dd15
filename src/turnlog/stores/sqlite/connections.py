"""Connections to a database file: opening them, and waiting for locks of other processes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

from turnlog.stores.retrying import backoff, retry_blocking
from turnlog.stores.sqlite.files import FileId, create, file_id, remove_wal, wal_of

__all__ = [
    "JournalMode",
    "check_journal_mode",
    "checkpoint",
    "is_about_schema",
    "is_busy",
    "lock_delays",
    "open_reader",
    "open_writer",
    "snapshot",
    "unflushed",
]

#: How SQLite makes a commit atomic. Only "wal" needs shared memory beside the file.
JournalMode: TypeAlias = Literal["wal", "truncate", "delete"]
_JOURNAL_MODES = ("wal", "truncate", "delete")

# A WAL file that is written over costs a much cheaper flush than one that grows.
# So it is written into the database early, and from then on it stays this short.
_WAL_PAGES = 200

# How many seconds SQLite itself waits at most; its milliseconds are an int of 32 bits.
_LONGEST = 2_000_000.0

# How many seconds a checkpoint of a file that was moved may take; it takes milliseconds.
_CHECKPOINT = 5.0


class Connection(sqlite3.Connection):
    """A connection that knows which write-ahead log it is on, and what it saw of the schema."""

    #: None while it uses another kind of journal.
    wal: FileId | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: What `structure_of` found.
        self.structures: dict[Any, Any] = {}


def check_journal_mode(mode: str) -> JournalMode:
    """`mode`, if SQLite has such a mode. Raises `ValueError` otherwise."""
    for known in _JOURNAL_MODES:
        if mode == known:
            return known  # type: ignore[return-value] # each of them is one
    raise ValueError(f"journal_mode must be one of {', '.join(_JOURNAL_MODES)}")


def open_writer(path: Path, timeout: float, journal_mode: JournalMode) -> Connection:
    """The connection that writes: every commit is flushed to the disk."""

    def attempt() -> Connection:
        db = _connect(path, timeout=0)
        try:
            _set_journal(db, path, journal_mode)
            # A rollback journal is certainly gone only once its folder is on the disk too.
            db.execute(f"PRAGMA synchronous = {'FULL' if db.wal else 'EXTRA'}")
            db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        except BaseException:
            db.close()
            raise
        return db

    return retry_blocking(attempt, lock_delays(timeout), is_busy)


@contextmanager
def unflushed(cursor: sqlite3.Cursor) -> Iterator[None]:
    """Within the block, commits don't wait for the disk; the next commit after it flushes them.

    With a rollback journal they wait all the same: without the flush it could corrupt the file.
    """
    if not isinstance(cursor.connection, Connection) or cursor.connection.wal is None:
        yield
        return
    cursor.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        cursor.execute("PRAGMA synchronous = FULL")


@contextmanager
def snapshot(cursor: sqlite3.Cursor) -> Iterator[None]:
    """Within the block, all reads see one state of the file."""
    cursor.execute("BEGIN")
    try:
        yield
    finally:
        cursor.execute("ROLLBACK")


def open_reader(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection that only reads, and returns text as the bytes that are stored."""
    db = _connect(path, timeout=timeout)
    try:
        db.execute("PRAGMA query_only = ON")
        [used] = db.execute("PRAGMA journal_mode").fetchone()
        _note_wal(db, path, used)
        db.text_factory = bytes
    except BaseException as error:
        db.close()
        if isinstance(error, sqlite3.Error) and _lacks_shared_memory(error):
            raise _without_shared_memory(error) from error
        raise
    return db


def checkpoint(db: Connection, path: Path) -> None:
    """Write the WAL into the file that is open, wherever that is now, and remove its path.

    SQLite would take a -wal or -shm file that stays there for that of the next file at this
    path, while other processes may still use it for the file that was moved.
    """
    db.execute("PRAGMA busy_timeout = 5000")
    db.execute("PRAGMA query_only = OFF")
    # SQLite itself doesn't wait for another process that is doing the same.
    for delay in lock_delays(_CHECKPOINT):
        [is_blocked, *_] = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not is_blocked:
            break
        time.sleep(delay)
    else:
        return
    # One process at a time. What others commit to this WAL from now on, they don't acknowledge.
    db.execute("BEGIN IMMEDIATE")
    try:
        remove_wal(path, db.wal)
    finally:
        db.execute("ROLLBACK")


def lock_delays(timeout: float) -> Iterator[float]:
    """Seconds between tries to get a lock that another process holds.

    SQLite's own wait sleeps up to 100 ms between its tries and is unfair: a steady stream of
    other processes' commits can starve it. Short uneven delays can't be starved.
    """
    return backoff(0.001, 0.002, timeout)


def _connect(path: Path, timeout: float) -> Connection:
    create(path)
    # A worker thread opens it; before a fork, the forking thread closes it.
    return sqlite3.connect(
        path,
        timeout=min(timeout, _LONGEST),
        isolation_level=None,
        check_same_thread=False,
        factory=Connection,
    )


def _set_journal(db: Connection, path: Path, mode: JournalMode) -> None:
    try:
        [used] = db.execute(f"PRAGMA journal_mode = {mode}").fetchone()
        _note_wal(db, path, used)
    except sqlite3.OperationalError as error:
        if mode == "wal" and _lacks_shared_memory(error):
            raise _without_shared_memory(error) from error
        # A file that can't be written can still be read.
        if _code(error) != sqlite3.SQLITE_READONLY:
            raise


def _note_wal(db: Connection, path: Path, journal_mode: str) -> None:
    if journal_mode == "wal":
        db.execute("PRAGMA user_version").fetchone()  # opens the WAL
        db.wal = file_id(wal_of(path))


def _lacks_shared_memory(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) in {
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
        sqlite3.SQLITE_IOERR_SHMLOCK,
    }


def _without_shared_memory(error: sqlite3.Error) -> sqlite3.OperationalError:
    explained = sqlite3.OperationalError(
        "journal_mode 'wal' needs shared memory in a file beside the database, and this file "
        "system gives none (network file systems don't, nor does a full disk): move the "
        "database to a local disk, or choose journal_mode='truncate'"
    )
    explained.sqlite_errorcode = error.sqlite_errorcode
    explained.sqlite_errorname = error.sqlite_errorname
    return explained


def is_busy(error: Exception) -> bool:
    """Whether another connection's lock was in the way."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_about_schema(error: sqlite3.Error) -> bool:
    """Whether a table or column may have been missing; it is not about locks or the disk."""
    return _code(error) == sqlite3.SQLITE_ERROR


def _code(error: Exception) -> int:
    """The primary result code of an SQLite error; the higher bits only refine it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
