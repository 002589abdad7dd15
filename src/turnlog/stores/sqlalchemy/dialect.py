"""What differs from one kind of database to the next, and what is common to all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import BindParameter, Connection, TextClause, bindparam, text

from turnlog.errors import Conflict
from turnlog.records import Column, Log, Records
from turnlog.stores.sqlalchemy import moments
from turnlog.stores.sqlalchemy.heads import Heads
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.places import END, Place
from turnlog.stores.sqlalchemy.schema import Schema
from turnlog.stores.tables import Tables

__all__ = ["Abandoned", "Dialect"]


class Abandoned(Exception):
    """A job has its outcome and wants its transaction rolled back."""

    def __init__(self, outcome: object) -> None:
        super().__init__()
        self.outcome = outcome


class Dialect(Heads, Schema, ABC):
    """The schema and the statements of one kind of database, on one set of tables.

    Every verb runs on a connection, inside a transaction or as a single statement, as
    the flags say. What isn't there yet reads as empty.

    layout: what the database was found to hold.
    """

    #: Whether `append`, `remove` and `annotate` are single statements, so that they
    #: need no transaction around them.
    single: bool = False
    #: Whether a reader keeps all writers waiting.
    locks_all = False
    #: How many characters a session id, a log name and a key may have; None for any.
    longest: tuple[int | None, int | None, int | None] = (None, None, None)
    #: Whether text can hold NUL.
    takes_nul = True

    def __init__(self, tables: Tables, layout: Layout) -> None:
        self.tables = tables
        self.layout = layout
        self.main = Place(
            self.quoted(tables.sessions),
            self.quoted(tables.messages),
            "message_data",
            ("session_id",),
        )
        self.other = Place(
            self.quoted(tables.heads),
            self.quoted(tables.records),
            "payload",
            ("session_id", "name"),
        )

    # What each kind has its own way for

    @abstractmethod
    def quoted(self, name: str) -> str:
        """`name` as this kind of SQL takes any name."""

    def begin(self, db: Connection) -> None:
        """Begin a transaction where the driver doesn't do it by itself."""
        if self.commits_at_once(db):
            db.exec_driver_sql(self._begin)

    _begin = "BEGIN"

    def commits_at_once(self, db: Connection) -> bool:
        """Whether each statement outside of a transaction is one by itself."""
        return db.dialect.detect_autocommit_setting(db.connection.dbapi_connection)  # type: ignore[arg-type] # it is connected

    @abstractmethod
    def append(
        self,
        db: Connection,
        log: Log,
        payloads: Sequence[bytes],
        expect: int | None,
        key: str | None,
    ) -> int:
        """Insert `payloads`; the log's last position then."""

    @abstractmethod
    def remove(self, db: Connection, log: Log, bounds: dict[str, int], expect: int | None) -> int:
        """Drop what lies inside `bounds`; how many records that was."""

    @abstractmethod
    def annotate(self, db: Connection, log: Log, note: bytes) -> None:
        """Set the note of `log`, making the log if need be."""

    def both(self, main: str, others: str) -> str:
        """The names that two locking SELECTs find, in one statement."""
        return f"({main}) UNION ALL ({others})"

    #: The condition on positions inside the bounds.
    inside = "id > :after AND id < :before"
    #: The column `key`, as this kind of SQL takes it.
    key = "key"

    # What is common

    def can_hold(self, log: Log, key: str | None = None) -> bool:
        """Whether the columns take these names."""
        try:
            self.check_names(log, key)
        except ValueError:
            return False
        return True

    def check_names(self, log: Log, key: str | None) -> None:
        """Raise `ValueError` for names that the columns don't take."""
        for role, name, longest in zip(_ROLES, (*log, key or ""), self.longest, strict=True):
            if longest is not None and len(name) > longest:
                raise ValueError(f"{role} has {len(name)} characters; {longest} are the most here")
            if not self.takes_nul and "\0" in name:
                raise ValueError(f"{role} holds NUL, which this database has no text for")

    def holds(self, place: Place) -> bool:
        """Whether the tables of `place` are there."""
        return self.layout.is_readable if place.is_main else bool(self.layout.version)

    def check_sizes(self, log: Log, payloads: Sequence[bytes]) -> None:
        """Raise `ValueError` for payloads that are known to be too big for the server."""

    def find_key(self, db: Connection, log: Log, key: str) -> int | None:
        """What the append with `key` returned, if there was one."""
        if not self.layout.version:
            return None
        found = db.execute(self._find_key, {**self.at(log), "key": key}).scalar()
        return None if found is None else int(found)

    def at(self, log: Log) -> dict[str, Any]:
        """The parameters that name `log` in every statement."""
        return {"session": log.session, "name": log.name}

    def place(self, log: Log) -> Place:
        """Where `log` lies."""
        return self.main if log.name == "main" else self.other

    def where(self, place: Place, alias: str = "") -> str:
        """The condition that holds for the log's row and its records alone."""
        first = f"{alias}session_id = :session"
        return first if place.is_main else f"{first} AND {alias}name = :name"

    def read(self, db: Connection, log: Log, bounds: dict[str, int], limit: int | None) -> Records:
        """The newest `limit` records inside `bounds`, oldest first."""
        place = self.place(log)
        if not self.holds(place):
            return Records([], [], [])
        statements = self._reads[place]
        if limit is None:
            rows = db.execute(statements[0], {**self.at(log), **bounds}).all()
        else:
            values = {**self.at(log), **bounds, "limit": min(limit, END)}
            rows = db.execute(statements[1], values).all()[::-1]
        return Records(
            [row[0] for row in rows],
            [place.loaded(row[1]) for row in rows],
            Column([row[2] for row in rows], moments.seconds),
        )

    def last(self, db: Connection, log: Log) -> int:
        """The position that `log` ends at, 0 when it is empty."""
        place = self.place(log)
        if not self.holds(place):
            return 0
        statement = self._lasts[place]
        return int(db.execute(statement, self.at(log)).scalar() or 0)

    def check_end(self, db: Connection, log: Log, expect: int | None) -> int:
        """The position that `log` ends at. Raises `Conflict` if that isn't `expect`."""
        last = self.last(db, log)
        if expect is not None and expect != last:
            raise Conflict(log, expect, last)
        return last

    def delete(self, db: Connection, session: str, name: str | None) -> None:
        """Forget one log, or all of `session`; keys and notes too."""
        # In two steps: a statement need not see what was written while it waited for a lock.
        locked = self._lock(db, session, name)
        others = [each for each in locked if each != "main"]
        if "main" in locked:
            for statement in self._main_deletions:
                db.execute(statement, {"session": session})
        if others:
            for statement in self._other_deletions:
                db.execute(statement, {"session": session, "names": others})

    @cached_property
    def _locks(self) -> dict[str, TextClause]:
        main, other, others = map(self._locking, ("main", "other", "session"))
        return {"main": text(main), "other": text(other), "session": text(self.both(main, others))}

    def _lock(self, db: Connection, session: str, name: str | None) -> set[str]:
        """The names of the logs that are there, of the one or of all; their rows are locked.

        A log that is made after this look is a later one, and stays.
        """
        found = db.execute(self._locks[_kind(name)], {"session": session, "name": name})
        return set(found.scalars())

    @cached_property
    def _reads(self) -> dict[Place, tuple[TextClause, TextClause]]:
        return {place: self._reads_of(place) for place in (self.main, self.other)}

    def _reads_of(self, place: Place) -> tuple[TextClause, TextClause]:
        every = (
            f"SELECT id, {place.payload}, created_at FROM {place.records} "
            f"WHERE {self.where(place)} AND {self.inside} ORDER BY id"
        )
        return text(every), text(f"{every} DESC LIMIT :limit")

    @cached_property
    def _find_key(self) -> TextClause:
        return text(
            f"SELECT position FROM {self.quoted(self.tables.keys)} "
            f"WHERE session_id = :session AND name = :name AND {self.key} = :key"
        )

    @cached_property
    def _lasts(self) -> dict[Place, TextClause]:
        return {
            place: text(f"SELECT max(id) FROM {place.records} WHERE {self.where(place)}")
            for place in (self.main, self.other)
        }

    def _locking(self, kind: str) -> str:
        """Locks the row of "main", of one "other" log, or of all others of a "session"."""
        if kind == "main":
            return (
                f"SELECT 'main' AS name FROM {self.main.row} WHERE session_id = :session FOR UPDATE"
            )
        others = f"SELECT name FROM {self.other.row} WHERE session_id = :session"
        if kind == "other":
            return f"{others} AND name = :name FOR UPDATE"
        # By name, so that two deletions don't wait for each other.
        return f"{others} AND name <> 'main' ORDER BY name FOR UPDATE"

    @cached_property
    def _main_deletions(self) -> list[TextClause]:
        # What else there is of it goes with its row.
        tables = (self.main.records, self.main.row)
        return [text(f"DELETE FROM {table} WHERE session_id = :session") for table in tables]

    @cached_property
    def _other_deletions(self) -> list[TextClause]:
        names: BindParameter[str] = bindparam("names", expanding=True)
        tables = (self.other.records, self.quoted(self.tables.keys), self.other.row)
        return [
            text(f"DELETE FROM {table} WHERE session_id = :session AND name IN :names").bindparams(
                names
            )
            for table in tables
        ]


_ROLES = ("a session id", "a log name", "a key")


def _kind(name: str | None) -> str:
    """What a deletion is of: "session" for all logs, "main", or "other" for one beside it."""
    if name is None:
        return "session"
    return "main" if name == "main" else "other"
