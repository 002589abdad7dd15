"""Dialect: the statements of one kind of database, on one set of tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, TextClause, text

from turnlog.errors import Conflict
from turnlog.records import Column, Log, Records
from turnlog.store import END, Cursor, Head
from turnlog.stores.clock import seconds
from turnlog.stores.sqlalchemy.heads import Heads
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.payloads import from_text
from turnlog.stores.sqlalchemy.places import Kinds, Place, places_of
from turnlog.stores.tables import Tables, filled, quoted

__all__ = ["Abandoned", "Dialect", "within"]


class Abandoned(Exception):
    """A job has its outcome and wants its transaction rolled back."""

    def __init__(self, outcome: object) -> None:
        super().__init__()
        self.outcome = outcome


class Reads(NamedTuple):
    """The statements that read logs of one kind."""

    all: TextClause
    newest: TextClause
    last: TextClause


_ALL = """
    SELECT id, {payload}, created_at FROM {records}
    WHERE {here} AND {inside}
    ORDER BY id
"""
_NEWEST = _ALL.rstrip() + " DESC LIMIT :limit"
_LAST = "SELECT max(id) FROM {records} WHERE {here}"
_FIND_KEY = """
    SELECT position FROM {keys}
    WHERE session_id = :session AND name = :name AND {key} = :key
"""


class Dialect(ABC):
    """The verbs of the contract, on a connection.

    Each runs inside a transaction, or as a single statement, as the flags say. Tables that are
    not there yet read as empty.

    layout: which tables the database has.
    """

    #: Whether `append`, `remove` and `annotate` are single statements, so that they
    #: need no transaction around them.
    single = False
    #: Whether a reader keeps all writers waiting.
    locks_all = False

    #: How many characters a session id, a log name and a key may have; None for any.
    _longest: tuple[int | None, int | None, int | None] = (None, None, None)
    #: Whether text can hold NUL.
    _takes_nul = True
    #: The statement that begins a transaction.
    _begin = "BEGIN"
    #: The condition on positions inside the bounds.
    _inside = "id > :after AND id < :before"
    #: The times of a session `s`; the first need not be set, also where the second is not.
    _changed = "coalesce(s.updated_at, s.created_at)"
    _created = "s.created_at"
    #: The id of a session `s`, compared by code points.
    _id = "s.session_id"
    #: The column of keys.
    _key = "key"

    def __init__(self, tables: Tables, layout: Layout) -> None:
        self.layout = layout
        self._names = {
            **tables.names(self._escaped),
            "inside": self._inside,
            "changed": self._changed,
            "created": self._created,
            "id": self._id,
            "key": self._key,
        }
        self._places = places_of(self._names, self._typed)
        self._reads = self._places.map(self._reads_of)
        self._is_there = Kinds(layout.is_readable, bool(layout.version))
        self._find_key = text(filled(_FIND_KEY, self._names))
        self._heads = Heads(self._names, layout, self._time_of)

    @abstractmethod
    def append(
        self,
        db: Connection,
        log: Log,
        payloads: Sequence[bytes],
        expect: int | None,
        key: str | None,
    ) -> int:
        """Insert `payloads` and return the log's last position."""

    @abstractmethod
    def remove(self, db: Connection, log: Log, bounds: tuple[int, int], expect: int | None) -> int:
        """Delete the records inside `bounds` and return how many there were."""

    @abstractmethod
    def annotate(self, db: Connection, log: Log, note: bytes) -> None:
        """Set the note of `log`, and make the log if it is missing."""

    @abstractmethod
    def delete(self, db: Connection, session: str, name: str | None) -> None:
        """Delete one log, or all of `session`, with keys and notes."""

    def read(self, db: Connection, log: Log, bounds: tuple[int, int], limit: int | None) -> Records:
        """The newest `limit` records inside `bounds`, oldest first."""
        if not self._is_there.of(log):
            return Records([], [], [])
        values = {**log._asdict(), **within(bounds)}
        reads = self._reads.of(log)
        if limit is None:
            rows = db.execute(reads.all, values).all()
        else:
            rows = db.execute(reads.newest, {**values, "limit": min(limit, END)}).all()[::-1]
        return Records(
            [row[0] for row in rows],
            [from_text(row[1]) for row in rows],
            Column([row[2] for row in rows], seconds),
        )

    def end(self, db: Connection, log: Log, expect: int | None, key: str | None = None) -> int:
        """The last position of `log`, or what the append with `key` returned.

        Raises `Conflict` unless the log ends at `expect`.
        """
        done = None if key is None else self._done(db, log, key)
        return self._checked_end(db, log, expect) if done is None else done

    def logs(self, db: Connection, session: str) -> list[Head]:
        """The heads of all logs of `session`, by name."""
        return self._heads.logs(db, session)

    def sessions(self, db: Connection, prefix: str, after: Cursor | None, limit: int) -> list[Head]:
        """One page of the list of sessions."""
        return self._heads.sessions(db, prefix, after, limit)

    def begin(self, db: Connection) -> None:
        """Begin a transaction where the driver doesn't do it by itself."""
        if self.commits_at_once(db):
            db.exec_driver_sql(self._begin)

    def commits_at_once(self, db: Connection) -> bool:
        """Whether each statement outside of a transaction is committed by itself."""
        return db.dialect.detect_autocommit_setting(db.connection.dbapi_connection)  # type: ignore[arg-type] # it is connected

    def can_hold(self, log: Log) -> bool:
        """Whether the columns take these names."""
        try:
            self.check_names(log, None)
        except ValueError:
            return False
        return True

    def check_names(self, log: Log, key: str | None) -> None:
        """Raise `ValueError` for names that the columns don't take."""
        for role, name, longest in zip(_ROLES, (*log, key or ""), self._longest, strict=True):
            if longest is not None and len(name) > longest:
                raise ValueError(
                    f"{role} has {len(name)} characters; this database takes at most {longest}"
                )
            if not self._takes_nul and "\0" in name:
                raise ValueError(f"{role} holds NUL, which text in this database can't hold")

    @abstractmethod
    def _time_of(self, microseconds: int) -> object:
        """A time as it is compared with `_changed`."""

    def _quoted(self, name: str) -> str:
        """`name` as this kind of SQL takes any name."""
        return quoted(name)

    def _escaped(self, name: str) -> str:
        return self._quoted(name).replace(":", "\\:")

    def _typed(self, expression: str) -> str:
        """A parameter or literal with the type of a column that names a log."""
        return expression

    def _reads_of(self, place: Place) -> Reads:
        return Reads(*(text(self._filled(each, place)) for each in (_ALL, _NEWEST, _LAST)))

    def _filled(self, template: str, place: Place) -> str:
        return filled(template, self._names, place._asdict())

    def _done(self, db: Connection, log: Log, key: str) -> int | None:
        """The result of the append with `key`, if there was one."""
        if not self.layout.version:
            return None
        found = db.execute(self._find_key, {**log._asdict(), "key": key}).scalar()
        return None if found is None else int(found)

    def _last(self, db: Connection, log: Log) -> int:
        """The position that `log` ends at, 0 when it is empty."""
        if not self._is_there.of(log):
            return 0
        return int(db.execute(self._reads.of(log).last, log._asdict()).scalar() or 0)

    def _checked_end(self, db: Connection, log: Log, expect: int | None) -> int:
        last = self._last(db, log)
        if expect is not None and expect != last:
            raise Conflict(log, expect, last)
        return last


def within(bounds: tuple[int, int]) -> dict[str, int]:
    """The parameters for positions inside `bounds`."""
    after, before = bounds
    return {"after": after, "before": before}


_ROLES = ("a session id", "a log name", "a key")
