"""What differs from one kind of database to the next, and what is common to all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import BindParameter, Connection, TextClause, bindparam, inspect, text

from turnlog.columns import Column
from turnlog.errors import Conflict, SchemaError
from turnlog.store import Cursor, Head, Log, Records, prefix_end
from turnlog.stores.sqlalchemy import moments
from turnlog.stores.sqlalchemy.payloads import from_text, to_text
from turnlog.tables import Tables

__all__ = ["END", "Dialect", "Place", "span"]

#: The greatest position that a column can hold.
END = 2**63 - 1


def span(after: int, before: int | None) -> dict[str, int]:
    """Both bounds, where a column can hold them; positions begin at 1."""
    return {
        "after": min(max(after, 0), END),
        "before": END if before is None else min(max(before, 0), END),
    }


@dataclass(frozen=True)
class Place:
    """Where logs of one kind lie: a row that stands for the log, and its records.

    The log "main" lies in the shared tables, where the session id alone names it.
    """

    row: str
    records: str
    payload: str
    names: tuple[str, ...]

    @property
    def columns(self) -> str:
        """The columns that name the log, in both tables."""
        return ", ".join(self.names)

    @property
    def is_main(self) -> bool:
        """Whether it is that of the log "main"."""
        return len(self.names) == 1

    def stored(self, payload: bytes) -> str | bytes:
        """`payload` as its column takes it."""
        return to_text(payload) if self.is_main else payload

    def loaded(self, value: str | bytes) -> bytes:
        """The payload that a column holds."""
        return from_text(value)


class Dialect(ABC):
    """The schema and the statements of one kind of database, on one set of tables.

    Every verb runs on a connection, inside a transaction or as a single statement, as
    the flags say.
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

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
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

    @abstractmethod
    def migrate(self, db: Connection, *, shared: bool) -> None:
        """Bring the schema up to date. Others may be doing the same at the same time.

        shared: makes the two shared tables too; without it they have to be there.
        """

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

    @abstractmethod
    def time_of(self, moment: float) -> object:
        """A moment as it is compared with `updated_at`."""

    #: An expression for the time of `updated_at` that sorts, also where strangers left it out.
    changed = "coalesce(s.updated_at, s.created_at)"
    #: What makes text compare by code points, where that isn't the column's own way.
    binary = ""
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

    def check_shared(self, db: Connection) -> None:
        """Raise `SchemaError` unless the two shared tables are there."""
        for table in (self.tables.sessions, self.tables.messages):
            if not inspect(db).has_table(table):
                raise SchemaError(
                    f"there is no table {table!r}: create_tables=True makes it, or your migrations"
                )

    def find_key(self, db: Connection, log: Log, key: str) -> int | None:
        """What the append with `key` returned, if there was one."""
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
        statement = self._lasts[self.place(log)]
        return int(db.execute(statement, self.at(log)).scalar() or 0)

    def check_end(self, db: Connection, log: Log, expect: int | None) -> int:
        """The position that `log` ends at. Raises `Conflict` if that isn't `expect`."""
        last = self.last(db, log)
        if expect is not None and expect != last:
            raise Conflict(log, expect, last)
        return last

    def logs(self, db: Connection, session: str) -> list[Head]:
        """The heads of all logs of `session`, by name."""
        rows = db.execute(self._heads, {"session": session}).all()
        return sorted(map(_head, rows), key=lambda head: head.log.name)

    def sessions(self, db: Connection, prefix: str, after: Cursor | None, limit: int) -> list[Head]:
        """One page of the list of sessions."""
        end = prefix_end(prefix)
        values = {"prefix": prefix, "end": end or "", "limit": min(limit, END)}
        if after is not None:
            values |= {"at": self.time_of(after.updated_at), "session": after.session}
        statement = self._pages[end is None, after is None]
        return list(map(_head, db.execute(statement, values).all()))

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

    def version(self, db: Connection) -> int:
        """The version of the schema on these tables, 0 if they are not ours yet.

        Raises `SchemaError` if it is ahead of us.
        """
        found = db.execute(
            text("SELECT version FROM turnlog_schema WHERE messages_table = :messages"),
            {"messages": self.tables.messages},
        ).scalar()
        version = int(found or 0)
        if version > self.newest:
            raise SchemaError(
                f"the tables of {self.tables.messages!r} have schema version {version}, and this "
                f"turnlog knows versions up to {self.newest}: upgrade turnlog"
            )
        return version

    #: The newest version of the schema.
    newest = 1

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

    @cached_property
    def _main_heads(self) -> str:
        messages, heads = self.main.records, self.other.row
        return (
            "SELECT s.session_id, 'main' AS name, "
            f"(SELECT max(id) FROM {messages} m WHERE m.session_id = s.session_id) AS last, "
            f"(SELECT count(*) FROM {messages} m WHERE m.session_id = s.session_id) AS length, "
            f"s.created_at, {self.changed} AS changed, "
            f"(SELECT h.note FROM {heads} h "
            f"WHERE h.session_id = s.session_id AND h.name = 'main') AS note "
            f"FROM {self.main.row} s"
        )

    @cached_property
    def _heads(self) -> TextClause:
        heads, records = self.other.row, self.other.records
        same = "r.session_id = h.session_id AND r.name = h.name"
        return text(
            f"{self._main_heads} WHERE s.session_id = :session UNION ALL "
            f"SELECT h.session_id, h.name, "
            f"(SELECT max(id) FROM {records} r WHERE {same}), "
            f"(SELECT count(*) FROM {records} r WHERE {same}), "
            f"h.created_at, h.updated_at, h.note "
            f"FROM {heads} h WHERE h.session_id = :session AND h.name <> 'main'"
        )

    @cached_property
    def _pages(self) -> dict[tuple[bool, bool], TextClause]:
        return {
            (endless, first): self._page(endless=endless, first=first)
            for endless in (True, False)
            for first in (True, False)
        }

    def _page(self, *, endless: bool, first: bool) -> TextClause:
        by = f"s.session_id{self.binary}"
        conditions = [f"{by} >= :prefix"]
        if not endless:
            conditions.append(f"{by} < :end")
        if not first:
            conditions.append(
                f"({self.changed} < :at OR ({self.changed} = :at AND {by} < :session))"
            )
        return text(
            f"{self._main_heads} WHERE {' AND '.join(conditions)} "
            f"ORDER BY {self.changed} DESC, {by} DESC LIMIT :limit"
        )

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


def _head(row: Sequence[Any]) -> Head:
    session, name, last, length, created, changed, note = row
    seconds = moments.seconds
    return Head(
        Log(session, name), int(last or 0), length, seconds(created), seconds(changed), note or b""
    )
