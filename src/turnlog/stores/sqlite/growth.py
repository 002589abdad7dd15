"""Growth: commits that only add records, and perhaps check where logs end.

Most commits do, so they are made without a look at all that is known of the logs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeAlias

from turnlog.changes import Append, Change, Check, check_conditions
from turnlog.stores.clock import as_text, micros, now
from turnlog.stores.sqlite.statements import (
    MANY_ROWS,
    ROWS_AT_ONCE,
    LogStatements,
    Statements,
    place,
)

__all__ = ["Growth", "grow", "growth_in", "insert"]

#: Appends of at least one record, none with a cut, and checks.
Growth: TypeAlias = list[Append | Check]


def growth_in(changes: Sequence[Change]) -> Growth:
    """The changes, if they add records and do nothing else but to check ends; else none."""
    growth: Growth = []
    adds = False
    for change in changes:
        if isinstance(change, Append) and change.payloads and change.cut is None:
            adds = True
        elif not isinstance(change, Check):
            return []
        growth.append(change)
    return growth if adds else []


def grow(cursor: sqlite3.Cursor, sql: Statements, session: str, growth: Growth) -> tuple[int, ...]:
    """Make the changes, or none if a condition fails. Returns where the log of each ends."""
    _check_ends(cursor, sql, session, growth)
    at = as_text(now())
    ends = []
    grows_main = False
    for change in growth:
        if isinstance(change, Append):
            last = insert(cursor, sql, session, change)
            grown = (session, change.log, last, len(change.payloads), at)
            cursor.execute(sql.of(change.log).grow, grown)
            ends.append(last)
            grows_main = grows_main or change.log == "main"
        else:
            ends.append(change.expect)
    if not grows_main:
        cursor.execute(sql.make_session, (session, at))
    return tuple(ends)


def insert(cursor: sqlite3.Cursor, sql: Statements, session: str, change: Append) -> int:
    """Insert a row for each payload, some per statement; return the last one's position."""
    log, payloads, _, _, times = change
    statements, at = sql.of(log), place(session, log)
    stored = [*map(statements.stored, payloads)]
    texts = None if times is None else [*map(_text_of, times)]
    for some in _pieces(len(stored)):
        moments = None if texts is None else texts[some]
        _insert(cursor, statements, at, stored[some], moments)
    assert cursor.lastrowid is not None  # noqa: S101 - an insert has one
    return cursor.lastrowid


def _insert(
    cursor: sqlite3.Cursor,
    sql: LogStatements,
    at: tuple[str, ...],
    stored: Sequence[str | bytes],
    moments: Sequence[str | None] | None,
) -> None:
    """Insert as many rows as one statement takes."""
    count = len(stored)
    if moments is None:
        cursor.execute(sql.insert[count], (*at, *stored))
    elif moments.count(moments[0]) == count:  # as of records that were added together
        cursor.execute(sql.insert_at[count], (*at, moments[0], *stored))
    else:
        pairs = chain.from_iterable(zip(moments, stored, strict=True))
        cursor.execute(sql.insert_at_times[count], (*at, *pairs))


def _pieces(count: int) -> Iterator[slice]:
    """Which of `count` rows each statement inserts."""
    start = 0
    while start < count:
        left = count - start
        size = MANY_ROWS if left >= MANY_ROWS else min(left, ROWS_AT_ONCE)
        yield slice(start, start + size)
        start += size


def _check_ends(cursor: sqlite3.Cursor, sql: Statements, session: str, growth: Growth) -> None:
    conditions = [change for change in growth if change.expect is not None]
    if not conditions:
        return
    ends = {}
    for log in [change.log for change in conditions]:
        [last] = cursor.execute(sql.of(log).last, place(session, log)).fetchone()
        ends[log] = last or 0
    check_conditions(session, conditions, ends, {})


@lru_cache(maxsize=1024)  # records that were added together have the same time
def _text_of(moment: float | None) -> str | None:
    return None if moment is None else as_text(micros(moment))
