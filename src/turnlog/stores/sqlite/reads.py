"""Reads: the SQL that reads a file, for each state that a file may be in.

Pages of the list of sessions come from one of two indexes. The index by time of change gives a
page at once, unless few sessions have the prefix: then most of the list is read in vain. The
index by session id finds those at once, and they are sorted. So sessions with a prefix are
counted first, but no further than is needed to choose the index.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from turnlog.store import END, Cursor, prefix_end
from turnlog.stores.clock import as_text, micros
from turnlog.stores.sqlite.schema import State
from turnlog.stores.tables import (
    COUNTED,
    LENGTH,
    MAIN_HEADS,
    OLD_NOTE,
    OLD_OTHER_HEADS,
    OTHER_HEADS,
    SQLITE_CHANGED,
    Tables,
    filled,
    quoted,
)

__all__ = ["LogReads", "Page", "Reads", "Rows", "reads_of"]

Rows = list[tuple[Any, ...]]

#: Up to this many sessions with a prefix are sorted. Among a million sessions, sorting them takes
#: as long as finding fifty of them by time.
_FEW = 2000

_READ = """
    SELECT id, {payload}, created_at FROM {records} WHERE {here} AND id > ? AND id < ?
    ORDER BY id {direction} LIMIT ?
"""
_HERE = {"main": "session_id = ?", "other": "session_id = ? AND name = ?"}
_HEADS = MAIN_HEADS + " WHERE s.session_id = ?1"
_ALL_HEADS = _HEADS + " UNION ALL {other_heads} WHERE session_id = ?1 AND name <> 'main' ORDER BY 2"
_COUNT = """
    SELECT count(*) FROM (
        SELECT 1 FROM {sessions} WHERE session_id >= ? AND session_id < ? LIMIT ?)
"""
# The page is found before the length of a log is.
_PAGE = (
    MAIN_HEADS
    + """
    WHERE s.rowid IN (
        SELECT s.rowid FROM {sessions} s
        WHERE {id} >= ?1 AND {id} < ?2
            AND {time} {beyond}= ?3 AND ({time} {beyond} ?3 OR s.session_id {beyond} ?4)
        ORDER BY {time} {direction}, s.session_id {direction} LIMIT ?5)
    ORDER BY changed {direction}, s.session_id {direction}
"""
)
# A "+" keeps SQLite from using the index on what comes after it.
_BY_TIME = {"id": "+s.session_id", "time": SQLITE_CHANGED}
_BY_ID = {"id": "s.session_id", "time": f"+{SQLITE_CHANGED}"}

# Greater than every text.
_NO_END = b""


class LogReads(NamedTuple):
    """SQL that reads one log. Parameters: its session, its name unless it is "main", after, before,
    limit (-1: none).
    """

    oldest: str
    newest: str


class Page(NamedTuple):
    """Which part of the list of sessions is wanted."""

    prefix: str
    after: Cursor | None
    limit: int
    oldest: bool


class Reads(NamedTuple):
    """SQL for one pair of tables in a file of one state."""

    main: LogReads
    #: None in a file that only the SDK has written to: it has no other logs.
    other: LogReads | None
    heads: str
    count_ids: str
    #: The statements for the newest and the oldest first; None without such an index.
    by_time: tuple[str, str] | None
    by_id: tuple[str, str]

    def sessions(self, cursor: sqlite3.Cursor, page: Page) -> Rows:
        """The heads on one page of the list of sessions."""
        first, end = page.prefix, prefix_end(page.prefix) or _NO_END
        statements = self.by_id
        if self.by_time and not (page.prefix and self._are_few(cursor, first, end)):
            statements = self.by_time
        values = (first, end, *_start(page), min(page.limit, END))
        return cursor.execute(statements[page.oldest], values).fetchall()

    def _are_few(self, cursor: sqlite3.Cursor, first: str, end: str | bytes) -> bool:
        [count] = cursor.execute(self.count_ids, (first, end, _FEW + 1)).fetchone()
        return bool(count <= _FEW)


@lru_cache(maxsize=64)  # sessions are made per request, most of them on the same tables
def reads_of(tables: Tables) -> Mapping[State, Reads]:
    """The statements that read `tables`, by the state of the file; none if it is empty."""
    names = {
        **tables.names(quoted),
        "created": "s.created_at",
        "changed": SQLITE_CHANGED,
        "other_heads": "",
    }
    counted = filled(COUNTED, names)
    plain = {**names, "length": counted, "note": "NULL"}
    old = {
        **plain,
        "note": filled(OLD_NOTE, names),
        "other_heads": filled(OLD_OTHER_HEADS, names),
    }
    current = {
        **names,
        "length": filled(LENGTH, names, {"counted": counted}),
        "note": filled("s.{main_note}", names),
        "other_heads": filled(OTHER_HEADS, names),
    }
    foreign = _reads(plain)._replace(heads=filled(_HEADS, plain), other=None)
    return {
        State.FOREIGN: foreign,
        State.OLD: _reads(old),
        State.CURRENT: _reads(current)._replace(by_time=_pages(current, _BY_TIME)),
    }


def _reads(names: Mapping[str, str]) -> Reads:
    return Reads(
        main=_log_reads(names["messages"], "message_data", _HERE["main"]),
        other=_log_reads(names["records"], "payload", _HERE["other"]),
        heads=filled(_ALL_HEADS, names),
        count_ids=filled(_COUNT, names),
        by_time=None,
        by_id=_pages(names, _BY_ID),
    )


def _log_reads(records: str, payload: str, here: str) -> LogReads:
    log = {"records": records, "payload": payload, "here": here}
    return LogReads(*(filled(_READ, log, {"direction": each}) for each in ("", "DESC")))


def _pages(names: Mapping[str, str], index: Mapping[str, str]) -> tuple[str, str]:
    newest = filled(_PAGE, names, index, {"direction": "DESC", "beyond": "<"})
    return newest, filled(_PAGE, names, index, {"direction": "ASC", "beyond": ">"})


def _start(page: Page) -> tuple[str, str]:
    """The time and the session id after which the page begins, as they are stored."""
    if page.after is not None:
        return as_text(micros(page.after.updated_at)), page.after.session
    return ("", "") if page.oldest else ("~", "")  # "~" comes after every time
