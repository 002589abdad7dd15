"""Jobs: the verbs of the contract that write, inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial

from turnlog.changes import Change, Check, Committed, Key, adds, check_conditions, writes
from turnlog.stores.sqlite.adoption import Adoption
from turnlog.stores.sqlite.growth import grow, growth_in
from turnlog.stores.sqlite.logs import Logs
from turnlog.stores.sqlite.sharing import check_owner
from turnlog.stores.sqlite.sharing import share as share_file
from turnlog.stores.sqlite.statements import Statements, statements_for
from turnlog.stores.sqlite.structure import Structure, structure_of
from turnlog.stores.tables import (
    Tables,
    days_of_known_keys,
    key_day,
    positions_text,
    replayed,
    today,
)

__all__ = ["commit", "delete", "share"]


def commit(
    cursor: sqlite3.Cursor,
    tables: Tables,
    session: str,
    changes: Sequence[Change],
    key: Key | None,
) -> Committed:
    """Make `changes`, or none of them if a condition fails."""
    structure = structure_of(cursor, tables)
    if structure is None:
        return _commit(cursor, session, changes, key, statements_for(tables))
    adoption = Adoption(cursor, tables, session, structure)
    return adoption.around(changes, partial(_commit, cursor, session, changes, key))


def delete(cursor: sqlite3.Cursor, tables: Tables, session: str, expect: int | None) -> None:
    """Delete `session` with all that belongs to it."""
    structure = structure_of(cursor, tables)
    adoption = structure and Adoption(cursor, tables, session, structure)
    sql = statements_for(tables, is_shared=structure is not None)
    if expect is not None:
        change = Check("main", expect)
        logs = Logs(cursor, sql, session, [change])
        check_conditions(session, [change], logs.ends(), {})
    if adoption:
        adoption.delete()
    cursor.execute(sql.delete_session, (session,))


def share(cursor: sqlite3.Cursor, tables: Tables, session: str | None) -> None:
    """Make the tables of the SDK's AdvancedSQLiteSession, and what it shows of `session`."""
    check_owner(cursor.connection, tables, create=True)
    structure = structure_of(cursor, tables)
    if structure is None or not structure.is_shared:
        share_file(cursor, tables)
        structure = Structure(has_reservations=True, is_shared=True)
    if session is not None:
        Adoption(cursor, tables, session, structure).settle()


def _commit(
    cursor: sqlite3.Cursor,
    session: str,
    changes: Sequence[Change],
    key: Key | None,
    sql: Statements,
) -> Committed:
    if key is None:
        return _made(cursor, sql, session, changes, makes_session=adds(changes))
    hashed, day = key.hash, today()
    found = cursor.execute(sql.find_key, (session, *days_of_known_keys(day), hashed)).fetchone()
    if found is not None:
        return replayed(key, *found)
    is_kept = writes(changes)
    done = _made(cursor, sql, session, changes, makes_session=is_kept)
    if is_kept:
        cursor.execute(sql.purge_keys, (session, day - 1))
        values = (session, key_day(key, day), hashed, key.digest, positions_text(done))
        cursor.execute(sql.store_key, values)
    return done


def _made(
    cursor: sqlite3.Cursor,
    sql: Statements,
    session: str,
    changes: Sequence[Change],
    *,
    makes_session: bool,
) -> Committed:
    if growth := growth_in(changes):
        return Committed(grow(cursor, sql, session, growth))
    logs = Logs(cursor, sql, session, changes)
    check_conditions(session, changes, logs.ends(), logs.notes(), logs.payloads)
    logs.make(changes, makes_session=makes_session)
    return Committed.at(changes, logs.ends())
