"""PostgreSQL: every write to one log is one statement, and so one round trip.

A statement sees the database as it was when it began, also if it then waits for a lock.
So where a write depends on what is stored, it notes the version of the log's row (`xmin`, which
every change of the row changes), and takes the row only in that version once it has the lock;
a row that was missing it makes, unless another writer does. If neither succeeds, the statement
is sent again. Each write moves the row's time forward, and records take it as their own, so
that sorting by time gives the order of commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, TextClause, text

from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import END
from turnlog.stores.sqlalchemy.deletion import Deletion
from turnlog.stores.sqlalchemy.dialect import Dialect, within
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.places import Kinds, Place
from turnlog.stores.tables import Tables, filled

__all__ = ["PostgreSQL"]

# Parts of statements, in an order in which each needs only those before it.
_PARTS = {
    # Makes the log's row or takes the lock on it, and moves its time forward.
    "take": """
        INSERT INTO {row} AS r ({columns}, created_at, updated_at)
        VALUES ({values}, {created_now}, {updated_now})
        ON CONFLICT ({columns}) DO UPDATE SET updated_at = {later}
        RETURNING {updated_at} AS updated_at
    """,
    # Inserts the payloads in order. Their positions are drawn under the row's lock.
    "insert": """
        INSERT INTO {records} ({columns}, {payload}, created_at)
        SELECT {values}, given.payload, {taken_at}
        FROM taken, unnest(CAST(:payloads AS {type}[])) WITH ORDINALITY AS given (payload, place)
        ORDER BY given.place
        RETURNING id
    """,
    # The version of the log's row, and where the log ends.
    "seen": """
        (SELECT r.xmin FROM {row} r WHERE {here}) AS version,
        coalesce((SELECT max(id) FROM {records} WHERE {here}), 0) AS last
    """,
    "as_expected": "(CAST(:expect AS BIGINT) IS NULL OR last = :expect)",
}

_APPEND = """
    WITH taken AS ({take}),
    stored AS ({insert})
    SELECT max(id) FROM stored
"""

# Takes the very version of the log's row that was seen, or makes the row that was missing.
# Nothing is taken if the row was changed, deleted or made meanwhile.
_GUARDED_APPEND = """
    WITH seen AS MATERIALIZED (
        SELECT {seen}, (
            SELECT position FROM {keys}
            WHERE session_id = {session} AND name = {name} AND key = {key_value}
        ) AS done
    ),
    updated AS (
        UPDATE {row} r SET updated_at = {later} FROM seen
        WHERE {here} AND r.xmin = seen.version AND done IS NULL AND {as_expected}
        RETURNING {updated_at} AS updated_at
    ),
    made AS (
        INSERT INTO {row} AS r ({columns}, created_at, updated_at)
        SELECT {values}, {created_now}, {updated_now} FROM seen
        WHERE version IS NULL AND done IS NULL AND {as_expected}
        ON CONFLICT DO NOTHING
        RETURNING {updated_at} AS updated_at
    ),
    taken AS MATERIALIZED (SELECT * FROM updated UNION ALL SELECT * FROM made),
    stored AS ({insert}),
    keyed AS (
        INSERT INTO {keys} (session_id, name, main_of, key, position)
        SELECT {session}, {name}, {main_of}, {key_value}, max(id) FROM stored
        WHERE {key_value} IS NOT NULL HAVING count(*) > 0
    )
    SELECT last, done, (SELECT max(id) FROM stored) FROM seen
"""

_REMOVE = """
    WITH seen AS MATERIALIZED (
        SELECT {seen},
            EXISTS (SELECT 1 FROM {records} WHERE {here} AND {inside}) AS found
    ),
    taken AS (
        UPDATE {row} r SET updated_at = {later} FROM seen
        WHERE {here} AND r.xmin = seen.version AND found AND {as_expected}
        RETURNING 1
    ),
    removed AS (
        DELETE FROM {records}
        WHERE {here} AND {inside} AND EXISTS (SELECT 1 FROM taken)
        RETURNING 1
    )
    SELECT last, found, (SELECT count(*) FROM taken), (SELECT count(*) FROM removed) FROM seen
"""

# The note of "main" lies beside its row, that of any other log in its row.
_ANNOTATE_MAIN = """
    WITH taken AS ({take})
    INSERT INTO {heads} AS r (session_id, name, main_of, created_at, updated_at, note)
    SELECT {session}, {name}, {main_of}, updated_at, updated_at, CAST(:note AS BYTEA) FROM taken
    ON CONFLICT (session_id, name) DO UPDATE SET updated_at = {head_later}, note = excluded.note
"""
_ANNOTATE_OTHER = """
    INSERT INTO {heads} AS r (session_id, name, main_of, created_at, updated_at, note)
    VALUES ({session}, {name}, {main_of}, {now}, {now}, CAST(:note AS BYTEA))
    ON CONFLICT (session_id, name) DO UPDATE SET updated_at = {head_later}, note = excluded.note
"""

# A lock may not stand in a UNION here.
_LOCK_BOTH = """
    WITH first AS MATERIALIZED ({main}), rest AS MATERIALIZED ({others})
    SELECT name FROM first UNION ALL SELECT name FROM rest
"""


class Writes(NamedTuple):
    """The statements that write to logs of one kind."""

    append: TextClause
    guarded_append: TextClause
    remove: TextClause
    annotate: TextClause


class PostgreSQL(Dialect):
    """PostgreSQL 12 and later."""

    single = True

    #: How many bytes may go into one append: a value has less than a gigabyte, and something
    #: is around them.
    largest = 2**30 - 2**20

    _takes_nul = False
    # An entry of an index has 2,704 bytes at most, and a character up to four.
    _longest = (255, 128, 255)
    _id = 's.session_id COLLATE "C"'
    # The SDK's column is narrower than the bounds may be.
    _inside = "id > CAST(:after AS BIGINT) AND id < CAST(:before AS BIGINT)"

    def __init__(self, tables: Tables, layout: Layout) -> None:
        # Columns of tables that others made may have a time zone; then they don't hold UTC.
        zoned = layout.zoned
        self._created = _utc("s.created_at", "sessions.created_at" in zoned)
        updated = _utc("s.updated_at", "sessions.updated_at" in zoned)
        self._changed = f"coalesce({updated}, {self._created})"
        super().__init__(tables, layout)
        self._writes = Kinds(
            self._writes_of(self._places.main, _times(zoned), _ANNOTATE_MAIN),
            self._writes_of(self._places.other, _times(frozenset()), _ANNOTATE_OTHER),
        )
        self._deletion = Deletion(self._names, _LOCK_BOTH)

    def append(
        self,
        db: Connection,
        log: Log,
        payloads: Sequence[bytes],
        expect: int | None,
        key: str | None,
    ) -> int:
        self._check_sizes(payloads)
        writes, encode = self._writes.of(log), self._places.of(log).encode
        values = {**log._asdict(), "payloads": [encode(payload) for payload in payloads]}
        if expect is None and key is None:
            return int(db.execute(writes.append, values).scalar_one())
        values |= {"expect": _position(expect), "key": key}
        while True:
            last, done, position = db.execute(writes.guarded_append, values).one()
            if done is not None or position is not None:
                return int(position if done is None else done)
            if expect is not None and last != expect:
                raise Conflict(log, expect, last)
            # Another writer came between this statement's snapshot and its lock: send it again.

    def remove(self, db: Connection, log: Log, bounds: tuple[int, int], expect: int | None) -> int:
        values = {**log._asdict(), **within(bounds), "expect": _position(expect)}
        while True:
            statement = self._writes.of(log).remove
            last, found, taken, removed = db.execute(statement, values).one()
            if expect is not None and last != expect:
                raise Conflict(log, expect, last)
            if taken or not found:
                return int(removed)

    def annotate(self, db: Connection, log: Log, note: bytes) -> None:
        self._check_sizes([note])
        db.execute(self._writes.of(log).annotate, {**log._asdict(), "note": note})

    def delete(self, db: Connection, session: str, name: str | None) -> None:
        self._deletion.delete(db, session, name)

    def _typed(self, expression: str) -> str:
        # The type is given because one statement uses a parameter in several places.
        return f"CAST({expression} AS VARCHAR)"

    def _time_of(self, microseconds: int) -> datetime:
        return datetime.fromtimestamp(microseconds / 1e6, UTC).replace(tzinfo=None)

    def _check_sizes(self, payloads: Sequence[bytes]) -> None:
        if sum(map(len, payloads)) > self.largest:
            raise ValueError(
                f"the items of one append have more than {self.largest} bytes, and PostgreSQL "
                "takes no value of a gigabyte: store them in several appends"
            )

    def _writes_of(self, place: Place, times: dict[str, str], annotate: str) -> Writes:
        fragments = {
            **self._names,
            **place._asdict(),
            **times,
            "session": self._typed(":session"),
            "key_value": self._typed(":key"),
            "type": "TEXT" if place is self._places.main else "BYTEA",
        }
        for part, template in _PARTS.items():
            fragments[part] = filled(template, fragments)
        templates = (_APPEND, _GUARDED_APPEND, _REMOVE, annotate)
        return Writes(*(text(filled(template, fragments)) for template in templates))


_NOW = "timezone('utc', clock_timestamp())"


def _times(zoned: frozenset[str]) -> dict[str, str]:
    """The expressions for times, given the columns of the two tables that have a time zone."""
    is_zoned = "sessions.updated_at" in zoned
    created_now, updated_now = (
        "clock_timestamp()" if f"sessions.{column}" in zoned else _NOW
        for column in ("created_at", "updated_at")
    )
    return {
        "now": _NOW,
        "created_now": created_now,
        "updated_now": updated_now,
        "later": _later(updated_now),
        "head_later": _later(_NOW),
        "updated_at": _utc("r.updated_at", is_zoned),
        "taken_at": _utc("taken.updated_at", "messages.created_at" in zoned),
    }


def _later(now: str) -> str:
    return f"greatest({now}, r.updated_at + interval '1 microsecond')"


def _utc(column: str, is_zoned: bool) -> str:
    """A time with a time zone as one in UTC without, or the other way round."""
    return f"timezone('utc', {column})" if is_zoned else column


def _position(expect: int | None) -> int | None:
    """`expect` as a column can hold it; -1 stands for any position that none can hold."""
    return expect if expect is None or 0 <= expect <= END else -1
