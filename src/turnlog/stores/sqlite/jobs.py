"""Jobs: the verbs of the contract that write, inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from turnlog.changes import Change, Check, Committed, Key, adds, check_conditions, writes
from turnlog.stores.sqlite.growth import grow, growth_in
from turnlog.stores.sqlite.logs import Logs
from turnlog.stores.sqlite.statements import statements_for
from turnlog.stores.tables import (
    Tables,
    days_of_known_keys,
    key_day,
    positions_text,
    replayed,
    today,
)

__all__ = ["commit", "delete"]


def commit(
    cursor: sqlite3.Cursor,
    tables: Tables,
    session: str,
    changes: Sequence[Change],
    key: Key | None,
) -> Committed:
    """Make `changes`, or none of them if a condition fails."""
    if key is None:
        return _made(cursor, tables, session, changes, makes_session=adds(changes))
    sql, hashed, day = statements_for(tables), key.hash, today()
    found = cursor.execute(sql.find_key, (session, *days_of_known_keys(day), hashed)).fetchone()
    if found is not None:
        return replayed(key, *found)
    is_kept = writes(changes)
    done = _made(cursor, tables, session, changes, makes_session=is_kept)
    if is_kept:
        cursor.execute(sql.purge_keys, (session, day - 1))
        values = (session, key_day(key, day), hashed, key.digest, positions_text(done))
        cursor.execute(sql.store_key, values)
    return done


def delete(cursor: sqlite3.Cursor, tables: Tables, session: str, expect: int | None) -> None:
    """Delete `session` with all that belongs to it."""
    if expect is not None:
        change = Check("main", expect)
        logs = Logs(cursor, tables, session, [change])
        check_conditions(session, [change], logs.ends(), {})
    cursor.execute(statements_for(tables).delete_session, (session,))


def _made(
    cursor: sqlite3.Cursor,
    tables: Tables,
    session: str,
    changes: Sequence[Change],
    *,
    makes_session: bool,
) -> Committed:
    if growth := growth_in(changes):
        return Committed(grow(cursor, statements_for(tables), session, growth))
    logs = Logs(cursor, tables, session, changes)
    check_conditions(session, changes, logs.ends(), logs.notes())
    logs.make(changes, makes_session=makes_session)
    return Committed.at(changes, logs.ends())
