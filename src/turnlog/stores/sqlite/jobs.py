"""Jobs: the verbs of the contract, inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.stores.clock import as_text, now
from turnlog.stores.sqlite.statements import ROWS_AT_ONCE, LogStatements, Statements

__all__ = ["annotate", "append", "delete", "remove"]


def append(
    cursor: sqlite3.Cursor,
    sql: Statements,
    log: Log,
    payloads: Sequence[bytes],
    expect: int | None,
    key: str | None,
) -> int:
    """Insert `payloads` and return the log's last position."""
    where, at = sql.place(log)
    if key is not None:
        done = cursor.execute(sql.find_key, (*log, key)).fetchone()
        if done is not None:
            return int(done[0])
    if expect is not None or not payloads:
        last = _check_end(cursor, where, at, log, expect)
        if not payloads:
            return last
    _touch(cursor, where, at)
    position = _insert(cursor, where, at, [where.stored(payload) for payload in payloads])
    if key is not None:
        cursor.execute(sql.store_key, (*log, key, position))
    return position


def remove(
    cursor: sqlite3.Cursor,
    sql: Statements,
    log: Log,
    span: tuple[int, int],
    expect: int | None,
) -> int:
    """Delete the records inside `span` and return how many there were."""
    where, at = sql.place(log)
    if expect is not None:
        _check_end(cursor, where, at, log, expect)
    removed = cursor.execute(where.remove, (*at, *span)).rowcount
    if removed:
        _touch(cursor, where, at)
    return removed


def annotate(cursor: sqlite3.Cursor, sql: Statements, log: Log, note: bytes) -> None:
    """Set the note of `log`, and make the log if it is missing."""
    where, at = sql.place(log)
    changed = _touch(cursor, where, at)
    cursor.execute(sql.annotate, (*log, changed, note))


def delete(cursor: sqlite3.Cursor, sql: Statements, session: str, name: str | None) -> None:
    """Delete one log, or all of `session`, with keys and notes."""
    if name is None:
        for statement in sql.delete_session:
            cursor.execute(statement, (session,))
        return
    log = Log(session, name)
    where, at = sql.place(log)
    cursor.execute(where.clear, at)
    cursor.execute(where.forget, at)
    cursor.execute(sql.delete_head, log)
    cursor.execute(sql.delete_keys, log)


def _touch(cursor: sqlite3.Cursor, where: LogStatements, at: tuple[str, ...]) -> str:
    """Make the log's row, or mark it as changed now; that time, as stored."""
    changed = as_text(now())
    cursor.execute(where.touch, (*at, changed, changed))
    return changed


def _insert(
    cursor: sqlite3.Cursor, where: LogStatements, at: tuple[str, ...], values: Sequence[object]
) -> int:
    """Insert a row for each value, a few rows per statement; return the last row's position."""
    for start in range(0, len(values), ROWS_AT_ONCE):
        some = values[start : start + ROWS_AT_ONCE]
        cursor.execute(where.insert[len(some)], (*at, *some))
    position = cursor.lastrowid
    assert position is not None  # noqa: S101 - an insert has one
    return position


def _check_end(
    cursor: sqlite3.Cursor, where: LogStatements, at: tuple[str, ...], log: Log, expect: int | None
) -> int:
    """The position that the log ends at. Raises `Conflict` if that isn't `expect`."""
    last = int(cursor.execute(where.last, at).fetchone()[0] or 0)
    if expect is not None and expect != last:
        raise Conflict(log, expect, last)
    return last
