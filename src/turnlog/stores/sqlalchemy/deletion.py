"""Deletion of a session: its row first, so that no commit comes between."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

from turnlog.changes import Check, check_conditions
from turnlog.stores.tables import filled

__all__ = ["LOCK", "Deletion"]

#: A write that changes nothing: it locks the row on every database, and opens no snapshot.
LOCK = "UPDATE {sessions} SET created_at = created_at WHERE session_id = {session}"
_END = "SELECT coalesce(max(id), 0) FROM {messages} WHERE session_id = {session}"
# The database deletes all that is ours with the session's row, since the SDK deletes that too.
_DELETE = (
    "DELETE FROM {messages} WHERE session_id = {session}",
    "DELETE FROM {sessions} WHERE session_id = {session}",
)


class Deletion:
    """Deletes sessions, in more than one statement: one alone need not see what was written
    while it waited for the lock.

    shared: the fragments of the templates.
    """

    def __init__(self, shared: Mapping[str, str]) -> None:
        self._lock, self._end = text(filled(LOCK, shared)), text(filled(_END, shared))
        self._delete = [text(filled(each, shared)) for each in _DELETE]

    def delete(self, db: Connection, session: str, expect: int | None) -> None:
        """Delete `session`, if its log "main" ends where it is expected to."""
        values = {"session": session}
        is_there = db.execute(self._lock, values).rowcount > 0
        if expect is not None:
            end = db.execute(self._end, values).scalar_one() if is_there else 0
            check_conditions(session, [Check("main", expect)], {"main": int(end)}, {})
        # Without a row nothing is locked: what there may be now was made after this deletion.
        if is_there:
            for statement in self._delete:
                db.execute(statement, values)
