"""Statements: the SQL of commits, built once for each pair of table names.

Times are text in UTC. The `created_at` of a record has whole seconds, as the SDK writes them,
unless a commit gives it; `updated_at` has microseconds, which the SDK neither reads nor minds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from turnlog.stores.sqlite.foreign_logs import indexed_main
from turnlog.stores.tables import COUNTED, LENGTH, Tables, filled, quoted

__all__ = [
    "MANY_ROWS",
    "ROWS_AT_ONCE",
    "LogStatements",
    "Statements",
    "look_at",
    "place",
    "statements_for",
]

#: How many rows one statement inserts at most; most batches are smaller. A large batch is inserted
#: by statements for `MANY_ROWS` rows as far as it goes, which takes a third less time.
ROWS_AT_ONCE, MANY_ROWS = 16, 256

# One row for "main", also if the session doesn't exist, and one for each other log that does.
_LOOK_AT_MAIN = """
    SELECT 'main', coalesce((SELECT max(id) FROM {messages} m WHERE m.session_id = ?1), 0),
        {length}, s.{main_note}, s.session_id IS NOT NULL
    FROM (SELECT 1) LEFT JOIN {sessions} s ON s.session_id = ?1
"""
_LOOK_FOR_MAIN = """
    SELECT 'main', NULL, NULL, NULL, EXISTS (SELECT 1 FROM {sessions} WHERE session_id = ?1)
"""
_LOOK_AT_OTHERS = """
    UNION ALL SELECT name, last, length, note, 1 FROM {logs}
    WHERE session_id = ?1 AND name IN ({names})
"""

_LAST = "SELECT max(id) FROM {records} WHERE {here}"
_PAYLOAD = "SELECT CAST({payload} AS BLOB) FROM {records} WHERE {here} AND id = ?"
_REMOVE = "DELETE FROM {records} WHERE {here} AND id > ? AND id < ?"
_REPLACE = "UPDATE {records} SET {payload} = ? WHERE {here} AND id = ?"
# The same where the SDK's AdvancedSQLiteSession shares the tables: messages that its other
# branches use stay, and a turn that is emptied takes the row of its usage along.
_REMOVE_SHARED = (
    """
    DELETE FROM message_structure
    WHERE session_id = ?1 AND branch_id = 'main' AND message_id > ?2 AND message_id < ?3
    """,
    """
    DELETE FROM {messages} WHERE session_id = ?1 AND id > ?2 AND id < ?3 AND NOT EXISTS (
        SELECT 1 FROM message_structure s
        WHERE s.session_id = ?1 AND s.message_id = {messages}.id)
    """,
    """
    DELETE FROM turn_usage WHERE session_id = ?1 AND branch_id = 'main' AND (
        user_turn_number > coalesce((
            SELECT max(user_turn_number) FROM message_structure
            WHERE session_id = ?1 AND branch_id = 'main'), -1)
        OR ?3 < 9223372036854775807 AND NOT EXISTS (
            SELECT 1 FROM message_structure s WHERE s.session_id = ?1 AND s.branch_id = 'main'
                AND s.user_turn_number = turn_usage.user_turn_number))
    """,
)
_PUT_MAIN = """
    INSERT INTO {sessions}
        (session_id, created_at, updated_at, {main_last}, {main_length}, {main_note})
    VALUES (?1, ?6, ?6, ?3, ?4, ?5)
    ON CONFLICT (session_id) DO UPDATE SET updated_at = ?6,
        {main_last} = ?3, {main_length} = ?4, {main_note} = ?5
"""
_PUT_OTHER = """
    INSERT INTO {logs} (session_id, name, last, length, note, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, coalesce(?5, x''), ?6, ?6)
    ON CONFLICT (session_id, name) DO UPDATE SET updated_at = ?6,
        last = ?3, length = ?4, note = coalesce(?5, x'')
"""
# The same for records that were just added, whatever the log was before.
_GROW_MAIN = """
    INSERT INTO {sessions} AS s (session_id, created_at, updated_at, {main_last}, {main_length})
    VALUES (?1, ?5, ?5, ?3, ?4)
    ON CONFLICT (session_id) DO UPDATE SET updated_at = excluded.updated_at,
        {main_last} = excluded.{main_last}, {main_length} = {length}
"""
_GROW_OTHER = """
    INSERT INTO {logs} AS l (session_id, name, last, length, note, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, x'', ?5, ?5)
    ON CONFLICT (session_id, name) DO UPDATE SET updated_at = excluded.updated_at,
        last = excluded.last, length = l.length + excluded.length
"""
_MAKE_SESSION = """
    INSERT INTO {sessions} (session_id, created_at, updated_at) VALUES (?1, ?2, ?2)
    ON CONFLICT (session_id) DO NOTHING
"""
_FORGET = "DELETE FROM {logs} WHERE session_id = ? AND name = ?"

# A look for each day. With IN, SQLite would first sort the days into a table.
_FIND_KEY = """
    SELECT digest, positions FROM (VALUES (?2), (?3), (?4), (?5)) days
    CROSS JOIN {writes} w
    WHERE w.session_id = ?1 AND w.day = days.column1 AND w.hash = ?6
"""
_STORE_KEY = """
    INSERT INTO {writes} (session_id, day, hash, digest, positions) VALUES (?, ?, ?, ?, ?)
"""
_PURGE_KEYS = "DELETE FROM {writes} WHERE session_id = ? AND day > 0 AND day < ?"
# A trigger deletes all that belongs to it.
_DELETE_SESSION = "DELETE FROM {sessions} WHERE session_id = ?"


class LogStatements(NamedTuple):
    """SQL on one log. The first parameters name the log, where nothing else is said to be first."""

    last: str
    payload: str  # position
    #: after, before. The first statement counts what was removed.
    remove: tuple[str, ...]
    replace: str  # first the payload as `stored` makes it; position
    insert: Mapping[int, str]  # by the number of payloads; each as `stored` makes it
    insert_at: Mapping[int, str]  # the same, behind the time of all of them; None for now
    insert_at_times: Mapping[int, str]  # the same, each payload behind its time
    put: str  # session, name, last, length, note, now
    grow: str  # session, name, last, how many records were added, now
    stored: Callable[[bytes], str | bytes]


class Statements(NamedTuple):
    """SQL for one pair of tables.

    is_shared: whether the SDK's AdvancedSQLiteSession keeps branches in them too.
    """

    tables: Tables
    is_shared: bool
    #: The log "main" lies in the SDK's tables, where the session id alone names it.
    main: LogStatements
    #: Every other log lies in ours, where session id and name name it.
    other: LogStatements
    make_session: str
    forget: str
    find_key: str
    store_key: str
    purge_keys: str
    delete_session: str

    def of(self, name: str) -> LogStatements:
        """The statements for the log `name`."""
        return self.main if name == "main" else self.other


def place(session: str, name: str) -> tuple[str, ...]:
    """The parameters that name a log in a statement."""
    return (session,) if name == "main" else (session, name)


@lru_cache(maxsize=64)  # sessions are made per request, most of them on the same tables
def statements_for(tables: Tables, *, is_shared: bool = False) -> Statements:
    """The statements that write to `tables`."""
    names = _names(tables, is_shared=is_shared)
    return Statements(
        tables,
        is_shared,
        main=_shared_main(names) if is_shared else _main(names),
        other=_other(names),
        make_session=filled(_MAKE_SESSION, names),
        forget=filled(_FORGET, names),
        find_key=filled(_FIND_KEY, names),
        store_key=filled(_STORE_KEY, names),
        purge_keys=filled(_PURGE_KEYS, names),
        delete_session=filled(_DELETE_SESSION, names),
    )


@lru_cache(maxsize=256)
def look_at(tables: Tables, others: int, *, with_main: bool, is_shared: bool = False) -> str:
    """The statement that finds the ends, lengths and notes of logs.

    others: how many logs but "main"; their names come after the session's id.
    """
    names = _names(tables, is_shared=is_shared) | {"names": ", ".join(["?"] * others)}
    template = _LOOK_AT_MAIN if with_main else _LOOK_FOR_MAIN
    return filled(template + _LOOK_AT_OTHERS * (others > 0), names, {"messages": names["on_main"]})


def _names(tables: Tables, *, is_shared: bool) -> dict[str, str]:
    """The fragments of templates; "on_main" are the messages that are on "main"."""
    names = tables.names(quoted)
    names["on_main"] = indexed_main(names) if is_shared else names["messages"]
    read = {**names, "messages": names["on_main"]}
    return {**names, "length": filled(LENGTH, read, {"counted": filled(COUNTED, read)})}


def _main(names: Mapping[str, str]) -> LogStatements:
    columns = {
        "records": names["messages"],
        "payload": "message_data",
        "columns": "session_id",
        "here": "session_id = ?",
    }
    return _log_statements(columns, filled(_PUT_MAIN, names), filled(_GROW_MAIN, names), _as_text)


def _shared_main(names: Mapping[str, str]) -> LogStatements:
    on_main = {
        "records": names["on_main"],
        "payload": "message_data",
        "here": "session_id = ?",
    }
    return _main(names)._replace(
        last=filled(_LAST, on_main),
        payload=filled(_PAYLOAD, on_main),
        remove=tuple(filled(each, names) for each in _REMOVE_SHARED),
    )


def _other(names: Mapping[str, str]) -> LogStatements:
    columns = {
        "records": names["records"],
        "payload": "payload",
        "columns": "session_id, name",
        "here": "session_id = ? AND name = ?",
    }
    return _log_statements(columns, filled(_PUT_OTHER, names), filled(_GROW_OTHER, names), bytes)


def _log_statements(
    columns: Mapping[str, str], put: str, grow: str, stored: Callable[[bytes], str | bytes]
) -> LogStatements:
    return LogStatements(
        last=filled(_LAST, columns),
        payload=filled(_PAYLOAD, columns),
        replace=filled(_REPLACE, columns),
        remove=(filled(_REMOVE, columns),),
        insert=_inserts(columns, ""),
        insert_at=_inserts(columns, "{time}"),
        insert_at_times=_inserts(columns, "?"),
        put=put,
        grow=grow,
        stored=stored,
    )


def _inserts(columns: Mapping[str, str], time: str) -> dict[int, str]:
    """The statement that inserts N rows, at N.

    time: the parameter for the time of a row; "{time}" is one for all rows, "" none.
    """
    # A "?" takes the number after the greatest so far, and the first row begins with the others.
    names = columns["here"].count("?")
    row = [f"?{number + 1}" for number in range(names)]
    if time:
        row.append(f"coalesce({time.format(time=f'?{names + 1}')}, CURRENT_TIMESTAMP)")
    into = "{columns}, created_at, {payload}" if time else "{columns}, {payload}"
    head = filled(f"INSERT INTO {{records}} ({into}) VALUES", columns)
    sizes = (*range(1, ROWS_AT_ONCE + 1), MANY_ROWS)
    rows = [f"({', '.join([*row, '?'])})"] * MANY_ROWS
    return {count: f"{head} {', '.join(rows[:count])}" for count in sizes}


def _as_text(payload: bytes) -> str | bytes:
    # Text, as the SDK writes it. Bytes that are no text stay a blob: as broken text they would
    # keep the SDK from reading anything of the session.
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload
