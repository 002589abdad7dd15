"""Statements: the SQL that runs on the tables, built once for each pair of table names.

Times are text in UTC. `created_at` has whole seconds, as the SDK writes them; `updated_at` has
microseconds, which the SDK neither reads nor minds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from turnlog.records import Log
from turnlog.stores.tables import (
    MAIN_HEADS,
    OTHER_HEADS,
    SQLITE_CHANGED,
    Tables,
    filled,
    quoted,
)

__all__ = ["ROWS_AT_ONCE", "LogStatements", "Statements", "statements_for"]

#: How many rows one statement inserts at most; most batches are smaller.
ROWS_AT_ONCE = 16

_TOUCH = """
    INSERT INTO {row} ({columns}, created_at, updated_at) VALUES ({values}, ?, ?)
    ON CONFLICT ({columns}) DO UPDATE SET updated_at = excluded.updated_at
"""
_LAST = "SELECT max(id) FROM {records} WHERE {here}"
_READ = """
    SELECT id, {payload}, created_at FROM {records} WHERE {here} AND id > ? AND id < ?
    ORDER BY id
"""
_NEWEST = _READ.rstrip() + " DESC LIMIT ?"
_REMOVE = "DELETE FROM {records} WHERE {here} AND id > ? AND id < ?"
_CLEAR = "DELETE FROM {records} WHERE {here}"
_FORGET = "DELETE FROM {row} WHERE {here}"

_FIND_KEY = "SELECT position FROM {keys} WHERE session_id = ? AND name = ? AND key = ?"
_STORE_KEY = "INSERT INTO {keys} (session_id, name, key, position) VALUES (?, ?, ?, ?)"
_ANNOTATE = """
    INSERT INTO {heads} (session_id, name, created_at, updated_at, note)
    VALUES (?1, ?2, ?3, ?3, ?4)
    ON CONFLICT (session_id, name)
    DO UPDATE SET updated_at = excluded.updated_at, note = excluded.note
"""
_DELETE_HEAD = "DELETE FROM {heads} WHERE session_id = ? AND name = ?"
_DELETE_KEYS = "DELETE FROM {keys} WHERE session_id = ? AND name = ?"
_DELETE_SESSION = tuple(
    f"DELETE FROM {{{table}}} WHERE session_id = ?"
    for table in ("messages", "records", "heads", "keys", "sessions")
)

# The SDK's own tables have no notes.
_NO_NOTE = "x''"
_NOTE = """
    coalesce((SELECT h.note FROM {heads} h
              WHERE h.session_id = s.session_id AND h.name = 'main'), x'')
"""
_HEAD = MAIN_HEADS + " WHERE s.session_id = ?1"
_HEADS = f"""
    {_HEAD} UNION ALL {OTHER_HEADS} WHERE h.session_id = ?1 AND h.name <> 'main'
    ORDER BY 2
"""
# The page is found before anything is counted for it.
_SESSIONS = (
    MAIN_HEADS
    + """
    WHERE s.rowid IN (
        SELECT s.rowid FROM {sessions} s
        WHERE s.session_id >= ?1 AND (?2 IS NULL OR s.session_id < ?2)
            AND ({changed}, s.session_id) < (?3, ?4)
        ORDER BY {changed} DESC, s.session_id DESC LIMIT ?5)
    ORDER BY changed DESC, s.session_id DESC
"""
)


class LogStatements(NamedTuple):
    """SQL on one log; its first parameters name the log."""

    touch: str  # created_at, updated_at
    last: str
    read: str  # after, before
    newest: str  # after, before, limit
    remove: str  # after, before
    clear: str
    forget: str
    insert: tuple[str, ...]  # by the number of payloads; each as `stored` makes it
    stored: Callable[[bytes], str | bytes]


class Statements(NamedTuple):
    """SQL for one pair of tables."""

    #: The log "main" lies in the SDK's tables, where the session id alone names it.
    main: LogStatements
    #: Every other log lies in ours, where session id and name name it.
    other: LogStatements
    find_key: str
    store_key: str
    annotate: str
    delete_head: str
    delete_keys: str
    delete_session: tuple[str, ...]
    heads: str
    sessions: str
    #: The same on a file that only the SDK has written to, and that reading doesn't change.
    foreign_heads: str
    foreign_sessions: str

    def place(self, log: Log) -> tuple[LogStatements, tuple[str, ...]]:
        """The statements for `log`, and the parameters that name it in each."""
        if log.name == "main":
            return self.main, (log.session,)
        return self.other, (log.session, log.name)


@lru_cache(maxsize=64)  # sessions are made per request, most of them on the same tables
def statements_for(tables: Tables) -> Statements:
    """The statements that run on `tables`."""
    names = {
        **tables.names(quoted),
        "created": "s.created_at",
        "changed": SQLITE_CHANGED,
        "note": _NO_NOTE,
    }
    noted = {**names, "note": filled(_NOTE, names)}
    return Statements(
        main=_main(names),
        other=_other(names),
        find_key=filled(_FIND_KEY, names),
        store_key=filled(_STORE_KEY, names),
        annotate=filled(_ANNOTATE, names),
        delete_head=filled(_DELETE_HEAD, names),
        delete_keys=filled(_DELETE_KEYS, names),
        delete_session=tuple(filled(each, names) for each in _DELETE_SESSION),
        heads=filled(_HEADS, noted),
        sessions=filled(_SESSIONS, noted),
        foreign_heads=filled(_HEAD, names),
        foreign_sessions=filled(_SESSIONS, names),
    )


def _main(names: Mapping[str, str]) -> LogStatements:
    place = {
        "row": names["sessions"],
        "records": names["messages"],
        "payload": "message_data",
        "columns": "session_id",
        "values": "?",
        "here": "session_id = ?",
    }
    return _log_statements(place, _as_text)


def _other(names: Mapping[str, str]) -> LogStatements:
    place = {
        "row": names["heads"],
        "records": names["records"],
        "payload": "payload",
        "columns": "session_id, name",
        "values": "?, ?",
        "here": "session_id = ? AND name = ?",
    }
    return _log_statements(place, bytes)


def _log_statements(
    place: Mapping[str, str], stored: Callable[[bytes], str | bytes]
) -> LogStatements:
    return LogStatements(
        touch=filled(_TOUCH, place),
        last=filled(_LAST, place),
        read=filled(_READ, place),
        newest=filled(_NEWEST, place),
        remove=filled(_REMOVE, place),
        clear=filled(_CLEAR, place),
        forget=filled(_FORGET, place),
        insert=_inserts(place),
        stored=stored,
    )


def _inserts(place: Mapping[str, str]) -> tuple[str, ...]:
    """The statement that inserts N rows, at index N."""
    head = filled("INSERT INTO {records} ({columns}, {payload}) VALUES", place)
    names = place["values"].count("?")
    at = ", ".join(f"?{number + 1}" for number in range(names))
    rows = [f"({at}, ?{names + row + 1})" for row in range(ROWS_AT_ONCE)]
    return tuple(f"{head} {', '.join(rows[:count])}" for count in range(ROWS_AT_ONCE + 1))


def _as_text(payload: bytes) -> str | bytes:
    # Text, as the SDK writes it. Bytes that are no text stay a blob: as broken text they would
    # keep the SDK from reading anything of the session.
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload
