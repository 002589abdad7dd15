"""Jobs: the verbs of the contract that write, inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from turnlog.changes import Append, Change, Check, Committed, Key, adds, check_conditions, writes
from turnlog.stores.sqlite.logs import Logs, grow
from turnlog.stores.sqlite.statements import statements_for
from turnlog.stores.tables import Tables, days_of_known_keys, key_day, today

__all__ = ["commit", "delete"]


def commit(
    cursor: sqlite3.Cursor,
    tables: Tables,
    session: str,
    changes: Sequence[Change],
    key: Key | None,
) -> Committed:
    """Make `changes`, or none of them if a condition fails."""
    if key and (known := _recall(cursor, tables, session, key)):
        return known
    if plain := _plain(changes):
        done = Committed(grow(cursor, statements_for(tables), session, plain))
    else:
        done = _made(cursor, tables, session, changes, key)
    if key and writes(changes):
        _keep(cursor, tables, session, key, done)
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
    key: Key | None,
) -> Committed:
    logs = Logs(cursor, tables, session, changes)
    check_conditions(session, changes, logs.ends(), logs.notes())
    makes_session = adds(changes) or (key is not None and writes(changes))
    logs.make(changes, makes_session=makes_session)
    return Committed.at(changes, logs.ends())


def _plain(changes: Sequence[Change]) -> list[Append]:
    """The changes, if they only add records, however the logs are; else none."""
    plain = [
        change
        for change in changes
        if isinstance(change, Append)
        and change.payloads
        and change.expect is None
        and change.cut is None
    ]
    return plain if len(plain) == len(changes) else []


def _recall(cursor: sqlite3.Cursor, tables: Tables, session: str, key: Key) -> Committed | None:
    """The result of the commit with this key; None if there was none."""
    at = (session, *days_of_known_keys(today()), key.hash)
    found = cursor.execute(statements_for(tables).find_key, at).fetchone()
    if found is None:
        return None
    digest, positions = found
    key.check_digest(digest)
    return Committed(tuple(map(int, positions.split(","))), replayed=True)


def _keep(cursor: sqlite3.Cursor, tables: Tables, session: str, key: Key, done: Committed) -> None:
    """Store the key with the result of its commit, and purge the old brief ones."""
    sql = statements_for(tables)
    day = today()
    cursor.execute(sql.purge_keys, (session, day - 1))
    positions = ",".join(map(str, done.positions))
    cursor.execute(sql.store_key, (session, key_day(key, day), key.hash, key.digest, positions))
