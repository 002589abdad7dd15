"""PostgreSQL: every write to one log is one statement, and so one round trip.

A statement sees the database as it was when it began, also if it then waits for a lock.
So where a write depends on what is stored, it notes the version of the log's row (`xmin`, which
every change of the row changes), and takes the row only in that version once it has the lock;
a row that was not there it makes, unless somebody else does. If neither succeeds, it is tried
again. Each write moves the row's time forward, and records take it as their own, so that
whoever sorts by time reads the order of commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, TextClause, inspect, text

from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.stores.sqlalchemy import moments
from turnlog.stores.sqlalchemy.dialect import Dialect
from turnlog.stores.sqlalchemy.places import END, Place
from turnlog.stores.tables import Tables, quoted

__all__ = ["PostgreSQL"]

_NOW = "timezone('utc', clock_timestamp())"
_LATER = f"greatest({_NOW}, r.updated_at + interval '1 microsecond')"
#: Which columns of times know a time zone. Those of tables that we made don't: they are UTC.
_ZONED = text(
    "SELECT CASE attrelid WHEN to_regclass(:sessions) THEN 'sessions.' ELSE 'messages.' END "
    "|| attname FROM pg_attribute "
    "WHERE attrelid IN (to_regclass(:sessions), to_regclass(:messages)) "
    "AND attname IN ('created_at', 'updated_at') AND atttypid = 'timestamptz'\\:\\:regtype"
)


class PostgreSQL(Dialect):
    """PostgreSQL 12 and later."""

    single = True
    takes_nul = False
    # An entry of an index has 2,704 bytes at most, and a character up to four.
    longest = (255, 128, 255)
    binary = ' COLLATE "C"'
    # The SDK's column is narrower than the bounds may be.
    inside = "id > CAST(:after AS BIGINT) AND id < CAST(:before AS BIGINT)"

    def quoted(self, name: str) -> str:
        return quoted(name).replace(":", "\\:")

    def time_of(self, moment: float) -> datetime:
        return moments.instant(moment)

    def both(self, main: str, others: str) -> str:
        # A lock may stand in no UNION here.
        return (
            f"WITH first AS MATERIALIZED ({main}), rest AS MATERIALIZED ({others}) "
            "SELECT name FROM first UNION ALL SELECT name FROM rest"
        )

    def append(
        self,
        db: Connection,
        log: Log,
        payloads: Sequence[bytes],
        expect: int | None,
        key: str | None,
    ) -> int:
        self.check_sizes(log, payloads)
        place = self.place(log)
        values = {**self.at(log), "payloads": [place.stored(payload) for payload in payloads]}
        if expect is None and key is None:
            return int(db.execute(self._appends[place], values).scalar_one())
        values |= {"expect": _position(expect), "key": key}
        while True:
            last, done, position = db.execute(self._guarded_appends[place], values).one()
            if done is not None or position is not None:
                return int(position if done is None else done)
            if expect is not None and last != expect:
                raise Conflict(log, expect, last)
            # Somebody wrote between this statement's view and its lock: look anew.

    def remove(self, db: Connection, log: Log, bounds: dict[str, int], expect: int | None) -> int:
        values = {**self.at(log), **bounds, "expect": _position(expect)}
        while True:
            last, found, taken, removed = db.execute(self._removals[self.place(log)], values).one()
            if expect is not None and last != expect:
                raise Conflict(log, expect, last)
            if taken or not found:
                return int(removed)

    def annotate(self, db: Connection, log: Log, note: bytes) -> None:
        self.check_sizes(log, [note])
        db.execute(self._annotations[self.place(log)], {**self.at(log), "note": note})

    @contextmanager
    def hold_schema(self, db: Connection) -> Iterator[None]:
        # After a lock is waited for, what others did meanwhile has to be seen.
        db.execute(text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
        # Held until the transaction ends: who comes second finds the work done.
        db.execute(text("SELECT pg_advisory_xact_lock(hashtext('turnlog_schema'))"))
        yield

    def details(self, db: Connection) -> dict[str, Any]:
        shared = {"sessions": self.tables.sessions, "messages": self.tables.messages}
        values = {role: quoted(name) for role, name in shared.items()}
        return {"zoned": frozenset(db.execute(_ZONED, values).scalars())}

    def ddl(self, db: Connection, missing: Sequence[str]) -> list[str]:
        names = (self.tables.sessions, self.tables.messages)
        shared = dict(zip(names, _shared(self.tables), strict=True))
        return [*(shared[each] for each in missing), *self._index(db, missing), *_ours(self.tables)]

    def _index(self, db: Connection, missing: Sequence[str]) -> list[str]:
        """What makes the index that reads need, unless it is there."""
        messages = self.tables.messages
        name = f"idx_{messages}_session_id"
        known = [] if messages in missing else inspect(db).get_indexes(messages)
        if any(each["name"] == name for each in known):
            return []
        return [f"CREATE INDEX {quoted(name)} ON {quoted(messages)} (session_id, id)"]

    def check_sizes(self, _log: Log, payloads: Sequence[bytes]) -> None:
        if sum(map(len, payloads)) > self.largest:
            raise ValueError(
                f"the items of one append have more than {self.largest} bytes: PostgreSQL takes "
                "no value of a gigabyte"
            )

    #: How many bytes may go into one append, with some room for what is around them.
    largest = 2**30 - 2**20

    @cached_property
    def _appends(self) -> dict[Place, TextClause]:
        return {place: text(self._append(place)) for place in (self.main, self.other)}

    @cached_property
    def _guarded_appends(self) -> dict[Place, TextClause]:
        return {place: text(self._guarded_append(place)) for place in (self.main, self.other)}

    @cached_property
    def _removals(self) -> dict[Place, TextClause]:
        return {place: text(self._removal(place)) for place in (self.main, self.other)}

    @cached_property
    def _annotations(self) -> dict[Place, TextClause]:
        return {place: text(self._annotation(place)) for place in (self.main, self.other)}

    def _append(self, place: Place) -> str:
        return (
            f"WITH taken AS ({self._take(place)}), stored AS ({self._insert(place)}) "
            "SELECT max(id) FROM stored"
        )

    def _guarded_append(self, place: Place) -> str:
        keys = self.quoted(self.tables.keys)
        name = "CAST('main' AS VARCHAR)" if place.is_main else _NAME
        main = _SESSION if place.is_main else "CAST(NULL AS VARCHAR)"
        done = f"SELECT position FROM {keys} WHERE session_id = {_SESSION} AND name = {name}"
        allowed = "done IS NULL AND (CAST(:expect AS BIGINT) IS NULL OR last = :expect)"
        return (
            f"WITH seen AS MATERIALIZED (SELECT {self._seen(place)}, "
            f"({done} AND key = CAST(:key AS VARCHAR)) AS done), "
            f"{self._take_as_seen(place, allowed)}, stored AS ({self._insert(place)}), "
            f"keyed AS (INSERT INTO {keys} (session_id, name, main_of, key, position) "
            f"SELECT {_SESSION}, {name}, {main}, CAST(:key AS VARCHAR), max(id) FROM stored "
            f"WHERE CAST(:key AS VARCHAR) IS NOT NULL HAVING count(*) > 0) "
            f"SELECT last, done, (SELECT max(id) FROM stored) FROM seen"
        )

    def _removal(self, place: Place) -> str:
        here = self._here(place)
        inside = f"{here} AND {self.inside}"
        return (
            f"WITH seen AS MATERIALIZED (SELECT {self._seen(place)}, "
            f"EXISTS (SELECT 1 FROM {place.records} WHERE {inside}) AS found), "
            f"taken AS (UPDATE {place.row} r SET updated_at = {self._later(place)} FROM seen "
            f"WHERE {self._here(place, 'r.')} AND found "
            f"AND (CAST(:expect AS BIGINT) IS NULL OR last = :expect) "
            f"AND r.xmin = seen.version RETURNING 1), "
            f"removed AS (DELETE FROM {place.records} "
            f"WHERE {inside} AND EXISTS (SELECT 1 FROM taken) RETURNING 1) "
            f"SELECT last, found, (SELECT count(*) FROM taken), (SELECT count(*) FROM removed) "
            f"FROM seen"
        )

    def _annotation(self, place: Place) -> str:
        heads = self.other.row
        columns = "session_id, name, main_of, created_at, updated_at, note"
        noted = (
            "ON CONFLICT (session_id, name) DO UPDATE "
            f"SET updated_at = {_LATER}, note = excluded.note"
        )
        note = "CAST(:note AS BYTEA)"
        if place.is_main:
            return (
                f"WITH taken AS ({self._take(place)}) INSERT INTO {heads} AS r ({columns}) "
                f"SELECT {_SESSION}, 'main', {_SESSION}, updated_at, updated_at, {note} "
                f"FROM taken {noted}"
            )
        return (
            f"INSERT INTO {heads} AS r ({columns}) "
            f"VALUES ({_SESSION}, {_NAME}, NULL, {_NOW}, {_NOW}, {note}) {noted}"
        )

    def _take(self, place: Place) -> str:
        """Makes the log's row or takes the lock on it, and moves its time forward."""
        return (
            f"INSERT INTO {place.row} AS r ({place.columns}, created_at, updated_at) "
            f"VALUES ({_names(place)}, {self._times(place)}) "
            f"ON CONFLICT ({place.columns}) DO UPDATE SET updated_at = {self._later(place)} "
            f"RETURNING {self._utc(place, 'r.updated_at')} AS updated_at"
        )

    def _take_as_seen(self, place: Place, allowed: str) -> str:
        """Takes the very version of the log's row that was seen, or makes the row that was not.

        Nothing is taken if the row was changed, deleted or made meanwhile.
        """
        updated = f"RETURNING {self._utc(place, 'r.updated_at')} AS updated_at"
        return (
            f"updated AS (UPDATE {place.row} r SET updated_at = {self._later(place)} FROM seen "
            f"WHERE {self._here(place, 'r.')} AND r.xmin = seen.version AND {allowed} {updated}), "
            f"made AS (INSERT INTO {place.row} AS r ({place.columns}, created_at, updated_at) "
            f"SELECT {_names(place)}, {self._times(place)} FROM seen "
            f"WHERE version IS NULL AND {allowed} ON CONFLICT DO NOTHING {updated}), "
            f"taken AS MATERIALIZED (SELECT * FROM updated UNION ALL SELECT * FROM made)"
        )

    # Columns of strangers may know a time zone; then UTC is not what they hold.

    def _is_zoned(self, place: Place, column: str) -> bool:
        return place.is_main and f"sessions.{column}" in self.layout.zoned

    def _times(self, place: Place) -> str:
        """The time, for `created_at` and `updated_at`."""
        zoned = (self._is_zoned(place, column) for column in ("created_at", "updated_at"))
        return ", ".join("clock_timestamp()" if each else _NOW for each in zoned)

    def _later(self, place: Place) -> str:
        return (
            _LATER.replace(_NOW, "clock_timestamp()")
            if self._is_zoned(place, "updated_at")
            else _LATER
        )

    def _utc(self, place: Place, column: str) -> str:
        """The column of the log's row as a time in UTC, without a time zone."""
        zoned = self._is_zoned(place, column.partition(".")[2])
        return f"timezone('utc', {column})" if zoned else column

    @property
    def created(self) -> str:
        return self._utc(self.main, "s.created_at")

    @property
    def changed(self) -> str:
        return f"coalesce({self._utc(self.main, 's.updated_at')}, {self.created})"

    def _insert(self, place: Place) -> str:
        """Inserts the payloads in order. Their positions are drawn under the row's lock."""
        kind = "TEXT" if place.is_main else "BYTEA"
        created = "taken.updated_at"
        if place.is_main and "messages.created_at" in self.layout.zoned:
            created = f"timezone('utc', {created})"
        return (
            f"INSERT INTO {place.records} ({place.columns}, {place.payload}, created_at) "
            f"SELECT {_names(place)}, given.payload, {created} FROM taken, "
            f"unnest(CAST(:payloads AS {kind}[])) WITH ORDINALITY AS given (payload, place) "
            "ORDER BY given.place RETURNING id"
        )

    def _seen(self, place: Place) -> str:
        here = self._here(place)
        return (
            f"(SELECT r.xmin FROM {place.row} r WHERE {here}) AS version, "
            f"coalesce((SELECT max(id) FROM {place.records} WHERE {here}), 0) AS last"
        )

    def _here(self, place: Place, alias: str = "") -> str:
        first = f"{alias}session_id = {_SESSION}"
        return first if place.is_main else f"{first} AND {alias}name = {_NAME}"


# The types are said because one statement uses a parameter in several places.
_SESSION = "CAST(:session AS VARCHAR)"
_NAME = "CAST(:name AS VARCHAR)"


def _position(expect: int | None) -> int | None:
    """`expect` as a column can hold it; -1 stands for any position that can't be."""
    return expect if expect is None or 0 <= expect <= END else -1


def _names(place: Place) -> str:
    return _SESSION if place.is_main else f"{_SESSION}, {_NAME}"


_TIME = "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP"


def _shared(tables: Tables) -> list[str]:
    """The two shared tables."""
    sessions, messages = quoted(tables.sessions), quoted(tables.messages)
    return [
        f"CREATE TABLE {sessions} "
        f"(session_id VARCHAR PRIMARY KEY, created_at {_TIME}, updated_at {_TIME})",
        f"CREATE TABLE {messages} (id BIGSERIAL PRIMARY KEY, "
        f"session_id VARCHAR NOT NULL REFERENCES {sessions} (session_id) ON DELETE CASCADE, "
        f"message_data TEXT NOT NULL, created_at {_TIME})",
    ]


def _ours(tables: Tables) -> list[str]:
    """Our own tables beside them."""
    sessions = quoted(tables.sessions)
    records, heads, keys = map(quoted, (tables.records, tables.heads, tables.keys))
    records_index = quoted(f"turnlog_{tables.messages}_records_log")
    # Set for the log "main" alone: so it is forgotten whole, also when the SDK clears it.
    main_of = f"main_of VARCHAR REFERENCES {sessions} (session_id) ON DELETE CASCADE"
    return [
        f"CREATE TABLE {records} (id BIGSERIAL PRIMARY KEY, session_id VARCHAR NOT NULL, "
        f"name VARCHAR NOT NULL, payload BYTEA NOT NULL, created_at {_TIME})",
        f"CREATE INDEX {records_index} ON {records} (session_id, name, id)",
        f"CREATE TABLE {heads} (session_id VARCHAR NOT NULL, name VARCHAR NOT NULL, {main_of}, "
        f"created_at {_TIME}, updated_at {_TIME}, note BYTEA NOT NULL DEFAULT '', "
        "PRIMARY KEY (session_id, name))",
        f"CREATE INDEX ON {heads} (main_of)",
        f"CREATE TABLE {keys} (session_id VARCHAR NOT NULL, name VARCHAR NOT NULL, {main_of}, "
        "key VARCHAR NOT NULL, position BIGINT NOT NULL, PRIMARY KEY (session_id, name, key))",
        f"CREATE INDEX ON {keys} (main_of)",
    ]
