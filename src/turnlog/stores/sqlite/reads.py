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
from turnlog.stores.sqlite.foreign_logs import Kind, foreign_heads, foreign_log, kind_of, main_of
from turnlog.stores.sqlite.schema import State
from turnlog.stores.sqlite.structure import Structure
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
_HERE = {"main": "session_id = ?1", "other": "session_id = ?1 AND name = ?2"}
_HEADS = MAIN_HEADS + " WHERE s.session_id = ?1"
_ALL_HEADS = _HEADS + " UNION ALL {other_heads} WHERE session_id = ?1 AND name <> 'main'"
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
    """The part of the list of sessions that is wanted."""

    prefix: str
    after: Cursor | None
    limit: int
    oldest: bool


class Reads(NamedTuple):
    """SQL for one pair of tables in a file of one state."""

    main: LogReads
    #: None in a file that only the SDK has written to.
    other: LogReads | None
    #: For the logs that stand in the tables of the SDK's AdvancedSQLiteSession too.
    foreign: Mapping[Kind, LogReads]
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

    def of(self, name: str) -> LogReads | None:
        """SQL that reads the log `name`; None if there are no such logs in the file."""
        if name == "main":
            return self.main
        return (self.foreign and self.foreign.get(kind_of(name))) or self.other


@lru_cache(maxsize=64)  # sessions are made per request, most of them on the same tables
def reads_of(tables: Tables, state: State, structure: Structure | None = None) -> Reads | None:
    """The statements that read `tables` in a file of a state; None if it is empty."""
    match state:
        case State.EMPTY:
            return None
        case State.FOREIGN:
            return _foreign_reads(tables, structure)
        case State.OLD:
            return _old_reads(tables, structure)
        case State.CURRENT:
            return _current_reads(tables, structure)


def _old_reads(tables: Tables, structure: Structure | None) -> Reads:
    return _reads(tables, structure, {"note": OLD_NOTE, "other_heads": OLD_OTHER_HEADS})


def _foreign_reads(tables: Tables, structure: Structure | None) -> Reads:
    reads = _reads(tables, structure, {"note": "NULL", "other_heads": ""})
    heads = filled(_HEADS, _names(tables, structure, {"note": "NULL"}))
    reads = reads._replace(heads=heads, other=None)
    return _with_foreign(reads, tables, structure, has_ours=False)


def _current_reads(tables: Tables, structure: Structure | None) -> Reads:
    ours = {"note": "s.{main_note}", "other_heads": OTHER_HEADS, "length": LENGTH}
    pages = _pages(_names(tables, structure, ours, one=False), _BY_TIME)
    reads = _reads(tables, structure, ours)._replace(by_time=pages)
    return _with_foreign(reads, tables, structure, has_ours=True)


def _with_foreign(
    reads: Reads, tables: Tables, structure: Structure | None, *, has_ours: bool
) -> Reads:
    if structure is None:
        return reads
    names = tables.names(quoted)
    foreign = {
        kind: _log_reads(foreign_log(names, structure, kind, has_ours=has_ours), "payload", "1")
        for kind in (Kind.BRANCH, Kind.USAGE, Kind.NAMES)
    }
    heads = f"{reads.heads} UNION ALL {foreign_heads(names, structure, has_ours=has_ours)}"
    return reads._replace(foreign=foreign, heads=heads)


def _names(
    tables: Tables,
    structure: Structure | None,
    templates: Mapping[str, str],
    *,
    one: bool = True,
) -> dict[str, str]:
    """The fragments of templates that read `tables`.

    one: they are about one session, the first parameter.
    """
    names = {**tables.names(quoted), "created": "s.created_at", "changed": SQLITE_CHANGED}
    stored = names["messages"]
    if structure is not None:
        names["messages"] = main_of({"messages": stored}, structure, one=one)
    names["counted"] = filled(COUNTED, names)
    names["length"] = names["counted"]
    return {**names, **{name: filled(each, names) for name, each in templates.items()}}


def _reads(tables: Tables, structure: Structure | None, templates: Mapping[str, str]) -> Reads:
    names = _names(tables, structure, templates)
    return Reads(
        main=_log_reads(names["messages"], "message_data", _HERE["main"]),
        other=_log_reads(names["records"], "payload", _HERE["other"]),
        foreign={},
        heads=filled(_ALL_HEADS, names),
        count_ids=filled(_COUNT, names),
        by_time=None,
        by_id=_pages(_names(tables, structure, templates, one=False), _BY_ID),
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
