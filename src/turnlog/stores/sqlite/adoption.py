"""Adoption: our commits in a file that the SDK's AdvancedSQLiteSession shares.

Its class shows a message only if it has a row in "message_structure". So in one transaction:

    settle   The first commit of ours to a conversation copies the foreign logs into our tables.
             Every commit gives rows to what plain sessions have added since our last one.
    write    as always, on the part of the messages that is on "main"
    follow   New messages get their rows; names of branches, usage, deletions are told its class.

The branches that it had stay in its tables as they were. What it does to them later is not seen
by us, and what we do to ours is not seen by it, until one side deletes a branch or clears.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from turnlog.changes import Append, Change, Forget, Remove
from turnlog.stores.sqlite.adoption_statements import (
    CLEARED,
    DELETED,
    FORGET_BRANCH,
    NEWEST,
    RENUMBER,
    adoption_statements,
)
from turnlog.stores.sqlite.sharing import share
from turnlog.stores.sqlite.statements import Statements, statements_for
from turnlog.stores.sqlite.structure import Structure
from turnlog.stores.tables import Tables

__all__ = ["Adoption"]

T = TypeVar("T")


class Adoption:
    """One commit of ours to `session`, in a file that is shared.

    found: what the file has of that class's tables.
    """

    def __init__(
        self, cursor: sqlite3.Cursor, tables: Tables, session: str, found: Structure
    ) -> None:
        if not found.is_shared:
            share(cursor, tables)
        self._cursor = cursor
        self._session = session
        self._tables = tables
        self._sql = adoption_statements(tables)
        #: Messages up to this one have rows.
        self._structured, is_adopted = self._one(self._sql.state)
        self._is_adopted = bool(is_adopted)

    def around(self, changes: Sequence[Change], write: Callable[[Statements], T]) -> T:
        """Make `changes` by `write`, with what belongs to them in that class's tables."""
        self.settle()
        usage = self._last_usage() if _names_log(changes, ":usage") else 0
        done = write(statements_for(self._tables, is_shared=True))
        self._follow(changes, usage)
        return done

    def settle(self) -> None:
        """Bring the conversation to where our commits can begin."""
        if not self._is_adopted:
            self._structured = 0
            self._cursor.execute(self._sql.dangling, (self._session,))
        self._give_rows()
        if not self._is_adopted:
            self._adopt()

    def delete(self) -> None:
        """Delete what that class has of the session, but the number by which it notices."""
        self._execute(CLEARED, *DELETED)

    def _adopt(self) -> None:
        names = [
            name for (name,) in self._cursor.execute(self._sql.foreign_names, (self._session,))
        ]
        if names:
            [are_free] = self._one(self._sql.are_free)
            self._cursor.execute(self._sql.copy, (self._session, are_free))
        for name in names:
            self._cursor.execute(self._sql.put_head, (self._session, name))
            if not name.startswith(":"):
                self._cursor.execute(self._sql.adopt, (self._session, name))
        self._execute(self._sql.mark)

    def _give_rows(self) -> None:
        """Give rows to the messages that have none, each at its place on "main"."""
        first = self._first_lacking()
        if first is None:
            return
        newest = self._cursor.execute(NEWEST, (self._session,)).fetchone()
        self._cursor.execute(self._sql.structure, (self._session, self._structured))
        if newest and newest[0] > first:
            self._execute(*RENUMBER)

    def _first_lacking(self) -> int | None:
        values = (self._session, self._structured)
        [first] = self._cursor.execute(self._sql.first_lacking, values).fetchone()
        return None if first is None else int(first)

    def _follow(self, changes: Sequence[Change], usage: int) -> None:
        if not self._is_adopted:
            self._execute(self._sql.mark)
        if _names_log(changes, "main"):
            self._cursor.execute(self._sql.structure, (self._session, self._structured))
        for change in changes:
            match change:
                case Append(":branches"):
                    self._execute(self._sql.reserve)
                # With 1, it may be a pop of the first message in the file.
                case Forget("main", expect) | Remove("main", 0, None, expect) if expect != 1:
                    self._execute(CLEARED)
                case Forget(name) if not name.startswith(":"):
                    self._forget(name)
        if _names_log(changes, ":usage"):
            self._note_usage(usage)

    def _note_usage(self, before: int) -> None:
        """Tell that class what was spent on the turns of the records behind `before`."""
        self._cursor.execute(self._sql.noting, (self._session, 1))
        self._cursor.execute(self._sql.note_usage, (self._session, before))
        self._cursor.execute(self._sql.noting, (self._session, 0))

    def _forget(self, name: str) -> None:
        at = (self._session, name)
        if self._cursor.execute(self._sql.forget_adopted, at).rowcount:
            for statement in FORGET_BRANCH:
                self._cursor.execute(statement, at)
            self._execute(self._sql.unused)

    def _last_usage(self) -> int:
        row = self._cursor.execute(self._sql.last_usage, (self._session,)).fetchone()
        return int(row[0]) if row else 0

    def _one(self, statement: str) -> tuple[int, ...]:
        row: tuple[int, ...] = self._cursor.execute(statement, (self._session,)).fetchone()
        return row

    def _execute(self, *statements: str) -> None:
        for statement in statements:
            self._cursor.execute(statement, (self._session,))


def _names_log(changes: Iterable[Change], name: str) -> bool:
    """Whether `changes` add to the log `name`."""
    return any(isinstance(change, Append) and change.log == name for change in changes)
