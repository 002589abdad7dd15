"""Deletion of logs on databases that lock rows."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import BindParameter, Connection, TextClause, bindparam, text

from turnlog.stores.tables import filled

__all__ = ["Deletion"]

_LOCK_MAIN = "SELECT 'main' AS name FROM {sessions} WHERE session_id = :session FOR UPDATE"
_LOCK_OTHER = "SELECT name FROM {heads} WHERE session_id = :session AND name = :name FOR UPDATE"
# Sorted, so that two deletions don't wait for each other.
_LOCK_OTHERS = """
    SELECT name FROM {heads} WHERE session_id = :session AND name <> 'main'
    ORDER BY name FOR UPDATE
"""

# Its note and keys go with its row.
_DELETE_MAIN = (
    "DELETE FROM {messages} WHERE session_id = :session",
    "DELETE FROM {sessions} WHERE session_id = :session",
)
_DELETE_OTHERS = (
    "DELETE FROM {records} WHERE session_id = :session AND name IN :names",
    "DELETE FROM {keys} WHERE session_id = :session AND name IN :names",
    "DELETE FROM {heads} WHERE session_id = :session AND name IN :names",
)


class Deletion:
    """Deletes logs in two steps: a statement need not see what was written while it waited.

    names: the tables.
    both: the template of one statement for two SELECTs that lock, `main` and `others`.
    """

    def __init__(self, names: Mapping[str, str], both: str) -> None:
        main, other, others = (
            filled(each, names) for each in (_LOCK_MAIN, _LOCK_OTHER, _LOCK_OTHERS)
        )
        self._lock_main, self._lock_other = text(main), text(other)
        self._lock_all = text(filled(both, {"main": main, "others": others}))
        self._delete_main = [text(filled(each, names)) for each in _DELETE_MAIN]
        chosen: BindParameter[str] = bindparam("names", expanding=True)
        self._delete_others = [
            text(filled(each, names)).bindparams(chosen) for each in _DELETE_OTHERS
        ]

    def delete(self, db: Connection, session: str, name: str | None) -> None:
        """Delete one log, or all of `session`, with keys and notes."""
        # A log that is made after this look is a later one, and stays.
        locked = set(db.execute(self._lock(name), {"session": session, "name": name}).scalars())
        if "main" in locked:
            for statement in self._delete_main:
                db.execute(statement, {"session": session})
        others = sorted(locked - {"main"})
        if others:
            for statement in self._delete_others:
                db.execute(statement, {"session": session, "names": others})

    def _lock(self, name: str | None) -> TextClause:
        if name is None:
            return self._lock_all
        return self._lock_main if name == "main" else self._lock_other
