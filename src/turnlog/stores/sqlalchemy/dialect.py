"""Dialect: the statements of one kind of database, on one set of tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, TextClause, TextualSelect, text

from turnlog.changes import Committed
from turnlog.records import Column, Log, Records
from turnlog.store import END, Cursor, Head
from turnlog.stores.clock import seconds
from turnlog.stores.sqlalchemy.caching import Cache
from turnlog.stores.sqlalchemy.commits import Commit, Part
from turnlog.stores.sqlalchemy.heads import Heads
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.payloads import TEXT
from turnlog.stores.sqlalchemy.places import Kinds, Place, Types, parameters, places_of
from turnlog.stores.sqlalchemy.retrying import Undone
from turnlog.stores.sqlalchemy.state import (
    JOIN_KEY,
    old_state_query,
    selected,
    state_columns,
    state_query,
    state_seen,
)
from turnlog.stores.tables import COUNTED, Tables, filled, quoted

__all__ = ["Abandoned", "Dialect"]


class Abandoned(Exception):
    """A job has its outcome and wants its transaction rolled back."""

    def __init__(self, outcome: object) -> None:
        super().__init__()
        self.outcome = outcome


def _only(rows: Sequence[RowMapping]) -> RowMapping:
    """The one row of a query of the state.

    Raises `Undone` for two: at REPEATABLE READ, a transaction that made the session's row may
    still see the one that was deleted before, with all that belonged to it.
    """
    if len(rows) > 1:
        raise Undone(RuntimeError("the session was deleted and made anew in each of many tries"))
    return rows[0]


class Reads(NamedTuple):
    """The statements that read logs of one kind."""

    all: TextClause
    newest: TextClause
    oldest: TextClause


_ALL = """
    SELECT id, {payload}, created_at FROM {records}
    WHERE {here} AND {inside}
    ORDER BY id
"""
_NEWEST = _ALL.rstrip() + " DESC LIMIT :limit"
_OLDEST = _ALL.rstrip() + " LIMIT :limit"


class Dialect(ABC):
    """The verbs of the contract, on a connection.

    Each runs inside a transaction, or as a single statement, as the flags say. Tables that are
    not there yet read as empty.

    layout: which tables the database has.
    """

    #: Whether each verb that reads is a single statement, so that it needs no transaction
    #: around it.
    single = False
    #: Whether a reader keeps all writers waiting.
    locks_all = False

    #: How many characters a session id and a log name may have; None for any.
    _longest: tuple[int | None, int | None] = (None, None)
    #: Whether text can hold NUL.
    _takes_nul = True
    #: The statement that begins a transaction.
    _begin = "BEGIN"
    #: The times of a session `s`; the first need not be set, also where the second is not.
    _changed = "coalesce(s.updated_at, s.created_at)"
    _created = "s.created_at"
    #: The id of a session `s`, compared by code points.
    _id = "s.session_id"
    #: Whether a session is `after` the time `:at` and the id `:session`, in a form for which this
    #: kind of database uses an index.
    _beyond = "({time}, {id}) {after} (:at, :session)"
    #: The types of parameters.
    _types = Types()
    #: How the shared messages hold payloads.
    _form = TEXT
    #: The template that finds the row of a key.
    _join_key = JOIN_KEY

    def __init__(self, tables: Tables, layout: Layout) -> None:
        self.layout = layout
        self._names = {
            **tables.names(self._escaped),
            "changed": self._changed,
            "created": self._created,
            "id": self._id,
            "beyond": self._beyond,
        }
        given = parameters(self._types)
        counted = {"counted": filled(COUNTED, self._names)}
        known = {"join_key": filled(self._join_key, self._names, given)}
        self._shared = {**self._names, **given, **counted, **known, **self._expressions()}
        self._places = places_of(self._names, given, self._form)
        self._reads = self._places.map(self._reads_of)
        self._is_there = Kinds(layout.is_readable, bool(layout.version))
        self._heads = Heads(self._names, layout, self._time_of)
        self._queries = Cache[TextClause | TextualSelect]()

    @abstractmethod
    def commit(self, db: Connection, commit: Commit) -> Committed:
        """Make the changes of `commit`, in a transaction of which this is all."""

    def is_one_statement(self, commit: Commit) -> bool:  # noqa: ARG002 - PostgreSQL alone has one
        """Whether `commit_at_once` can make it."""
        return False

    def commit_at_once(self, db: Connection, commit: Commit) -> Committed | None:
        """Make the changes in one statement.

        None if another writer came between, so that nothing was written: `commit` waits for it.
        """
        raise NotImplementedError

    @abstractmethod
    def delete(self, db: Connection, session: str, expect: int | None) -> None:
        """Delete all of `session`, if its log "main" ends where it is expected to."""

    def read(
        self, db: Connection, log: Log, bounds: tuple[int, int], limit: int | None, oldest: bool
    ) -> Records:
        """The newest or oldest `limit` records inside `bounds`, oldest first."""
        if not self._is_there.of(log.name):
            return Records([], [], [])
        reads, (after, before) = self._reads.of(log.name), bounds
        decode = self._places.of(log.name).decode
        values = {**log._asdict(), "after": after, "before": before}
        if limit is None:
            rows = db.execute(reads.all, values).all()
        else:
            statement = reads.oldest if oldest else reads.newest
            rows = db.execute(statement, {**values, "limit": min(limit, END)}).all()
            rows = rows if oldest else rows[::-1]
        return Records(
            [row[0] for row in rows],
            [decode(row[1]) for row in rows],
            Column([row[2] for row in rows], seconds),
        )

    def check(self, db: Connection, commit: Commit) -> Committed:
        """The result of a commit that writes nothing.

        Raises `Conflict` for the first condition that fails.
        """
        seen = state_seen(commit, self._found(db, commit, commit.values()))
        known = commit.known(seen)
        if known is None:
            commit.check(seen)
        return known or commit.result(seen.ends)

    def logs(self, db: Connection, session: str) -> list[Head]:
        """The heads of all logs of `session`, by name."""
        return self._heads.logs(db, session)

    def sessions(
        self, db: Connection, prefix: str, after: Cursor | None, limit: int, oldest: bool
    ) -> list[Head]:
        """One page of the list of sessions."""
        return self._heads.sessions(db, prefix, after, limit, oldest)

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
            self.check_names(log)
        except ValueError:
            return False
        return True

    def check_names(self, log: Log) -> None:
        """Raise `ValueError` for names that the columns don't take."""
        for role, name, longest in zip(_ROLES, log, self._longest, strict=True):
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

    def _expressions(self) -> dict[str, str]:
        """More fragments for templates."""
        return {}

    def _reads_of(self, place: Place) -> Reads:
        fragments = self._shared, place._asdict()
        return Reads(*(text(filled(each, *fragments)) for each in (_ALL, _NEWEST, _OLDEST)))

    def _found(
        self, db: Connection, commit: Commit, values: Mapping[str, object]
    ) -> Mapping[Any, Any]:
        """What `commit` has to know of the state before it, by the names of the columns."""
        if commit.is_small:
            return self._found_of(db, commit, commit.shape, values)
        rows = (
            self._found_of(db, piece, (commit.shape, number), values)
            for number, piece in enumerate(commit.pieces)
        )
        return {name: value for row in rows for name, value in row.items()}

    def _found_of(
        self, db: Connection, piece: Commit, shape: Hashable, values: Mapping[str, object]
    ) -> Mapping[Any, Any]:
        statement = self._queries.get(shape, lambda: self._state(piece))
        return _only(db.execute(statement, values).mappings().all())

    def _state(self, commit: Commit) -> TextClause | TextualSelect:
        """The query for the state before `commit`."""
        if self.layout.is_current:
            of, more = self._fragments, self._more(commit)
            names = {**dict(state_columns(commit, of, lengths=True)), **more} or ["one"]
            return selected(state_query(commit, self._shared, of, more, lengths=True), names)
        return text(old_state_query(commit, self._fragments, self._is_there))

    def _more(self, commit: Commit) -> dict[str, str]:  # noqa: ARG002 - subclasses need it
        """More columns of that query, by their names."""
        return {}

    def _fragments(self, part: Part) -> dict[str, str]:
        """The fragments of templates for one part of a commit."""
        given = parameters(self._types, part.number)
        place = places_of(self._names, given, self._form).of(part.log)
        number = {"number": str(part.number)}
        return {**self._shared, **given, **place._asdict(), **number}


_ROLES = ("a session id", "a log name")
