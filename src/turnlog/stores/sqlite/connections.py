"""Connections to one file: how they are opened, and how a lock is waited out."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

__all__ = ["is_busy", "open_reader", "open_writer", "patiently", "unflushed"]

T = TypeVar("T")

# A WAL file that is written over costs a much cheaper flush than one that grows.
# So it is folded into the database early, and from then on it stays this short.
_WAL_PAGES = 200

# SQLite's own wait sleeps up to 100 ms between its tries and is unfair: under a
# steady stream of foreign commits it can starve. Short uneven naps can't.
_NAPS = (0.0005, 0.003)


def open_writer(path: Path, timeout: float) -> sqlite3.Connection:
    """The connection that writes: WAL, and every commit flushed to the disk."""

    def attempt() -> sqlite3.Connection:
        db = _connect(path, timeout=0)
        try:
            _use_wal(db)
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        except BaseException:
            db.close()
            raise
        return db

    return patiently(attempt, timeout)


@contextmanager
def unflushed(cursor: sqlite3.Cursor) -> Iterator[None]:
    """Within, commits of a writer don't wait for the disk; the next one that does, flushes them."""
    cursor.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        cursor.execute("PRAGMA synchronous = FULL")


def open_reader(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection that can't write, and hands out text as the bytes that are stored."""
    db = _connect(path, timeout=timeout)
    db.execute("PRAGMA query_only = ON")
    db.text_factory = bytes
    return db


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


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    # A worker thread opens it; before a fork, the forking thread closes it.
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)


def _use_wal(db: sqlite3.Connection) -> None:
    try:
        db.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        # What can't be written can still be read.
        if _code(error) != sqlite3.SQLITE_READONLY:
            raise


def is_busy(error: Exception) -> bool:
    """Whether another connection's lock was in the way."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: Exception) -> int:
    """The primary result code of an SQLite error; the higher bits only refine it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
