"""PostgreSQL: a commit is one statement, and so one round trip, or else a short transaction.

Each write moves the time of the log "main" forward, and its records take it as their own, so
that sorting by time gives the order of commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, TextClause, TextualSelect, text

from turnlog.changes import Committed
from turnlog.stores.sqlalchemy.caching import Cache
from turnlog.stores.sqlalchemy.commits import Commit, Part
from turnlog.stores.sqlalchemy.compiled import compiled, is_compilable
from turnlog.stores.sqlalchemy.deletion import Deletion
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.places import Kinds, Types
from turnlog.stores.sqlalchemy.schema_postgresql import changed_at, utc
from turnlog.stores.sqlalchemy.state import state_seen
from turnlog.stores.sqlalchemy.transactional import Step, Templates, Transactional
from turnlog.stores.tables import Tables, filled

__all__ = ["PostgreSQL"]

_MAKE = """
    INSERT INTO {sessions} AS r (session_id, created_at, updated_at, {main_last}, {main_length})
    VALUES ({session}, {created_now}, {updated_now}, 0, 0)
    ON CONFLICT (session_id) DO UPDATE SET """
# The version of the row changes in any case: `compiled` says why.
_TEMPLATES = Templates(
    touch=_MAKE + "updated_at = {later}",
    hold=_MAKE + "created_at = r.created_at",
    note_log="""
        INSERT INTO {logs} (session_id, name, last, length, created_at, updated_at, note)
        VALUES ({session}, {name}, {last}, {length}, {at}, {at}, '')
        ON CONFLICT (session_id, name) DO UPDATE SET
            last = excluded.last, length = excluded.length, updated_at = excluded.updated_at
    """,
    move="UPDATE {sessions} r SET updated_at = {later} WHERE session_id = {session}",
)
_INSERT = """
    WITH added AS (
        INSERT INTO {records} ({columns}, {payload}, created_at)
        SELECT {values}, given.payload, {given_time}
        FROM unnest(CAST(:payloads AS {array}), CAST(:times AS TIMESTAMP[]))
            WITH ORDINALITY AS given (payload, at, place)
        ORDER BY given.place
        RETURNING id
    )
    SELECT max(id) FROM added
"""
_PAYLOAD = Kinds("TEXT", "BYTEA")
# How many rows one statement inserts with times of their own. The server sorts them, and does so
# on its disk if they don't fit into its memory for that, which has 4 MB by default.
_ROWS_AT_ONCE = 4000
# One look-up for each day: else the planner may look at all keys of the session.
_JOIN_KEY = (
    "LEFT JOIN ("
    + " UNION ALL ".join(
        f"SELECT digest, positions FROM {{writes}} "
        f"WHERE session_id = {{session}} AND day = {day} AND hash = {{hash}}"
        for day in ("0", "{today} - 1", "{today}", "{today} + 1")
    )
    + ") w ON TRUE"
)


class PostgreSQL(Transactional):
    """PostgreSQL 12 and later."""

    single = True

    #: How many bytes may go into one append: a value has less than a gigabyte, and something
    #: is around them.
    largest = 2**30 - 2**20

    _takes_nul = False
    # An entry of an index has 2,704 bytes at most, and a character up to four.
    _longest = (255, 128)
    _id = 's.session_id COLLATE "C"'
    # Because one statement uses a parameter in several places. The SDK's column of positions is
    # narrower than the bounds may be.
    _types = Types(
        "CAST({} AS VARCHAR)", "CAST({} AS BIGINT)", "CAST({} AS BYTEA)", "CAST({} AS TIMESTAMP)"
    )
    _templates = _TEMPLATES
    _join_key = _JOIN_KEY

    def __init__(self, tables: Tables, layout: Layout) -> None:
        # Columns of tables that others made may have a time zone; then they don't hold UTC.
        zoned = layout.zoned
        self._created = utc("s.created_at", "sessions.created_at" in zoned)
        self._changed = changed_at("s.", zoned)
        self._at = (_NOW, utc("s.updated_at", "sessions.updated_at" in zoned))
        super().__init__(tables, layout)
        self._compiled = Cache[TextualSelect]()
        self._inserts = Kinds("main", "other").map(self._insert_into)
        self._deletion = Deletion(self._shared)

    def is_one_statement(self, commit: Commit) -> bool:
        return is_compilable(commit)

    def commit_at_once(self, db: Connection, commit: Commit) -> Committed | None:
        self._check_sizes(commit)
        statement = self._compiled.get(
            commit.shape, lambda: compiled(commit, self._shared, self._fragments)
        )
        found = db.execute(statement, self._values_at_once(commit)).one()._mapping  # noqa: SLF001 - public, says its documentation
        added = {p.log: int(found[f"added{p.number}"] or 0) for p in commit.parts if p.payloads}
        if commit.is_unconditional:
            return commit.result(added)
        seen = state_seen(commit, found)
        known = commit.known(seen)
        if known is not None:
            return known
        commit.check(seen)
        can_act = found["version"] is not None or commit.makes
        is_taken = any(added.values()) or bool(found.get("taken"))
        if not is_taken and can_act and commit.acts(seen):
            return None
        return commit.result({**seen.ends, **seen.rests, **added})

    def delete(self, db: Connection, session: str, expect: int | None) -> None:
        self._deletion.delete(db, session, expect)

    def _values_at_once(self, commit: Commit) -> dict[str, object]:
        values = commit.values()
        for part in commit.parts:
            encoded = list(map(self._places.of(part.log).encode, part.payloads))
            if part.shape.is_single:
                values[f"payload{part.number}"] = encoded[0]
            elif encoded:
                values[f"payloads{part.number}"] = encoded
        return values

    def _insert(self, step: Step, part: Part, times: Sequence[object]) -> int:
        statement, encode = self._inserts.of(part.log), self._places.of(part.log).encode
        log, end = {"session": step.commit.session, "name": part.log}, 0
        for start in range(0, len(part.payloads), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            values = {"payloads": list(map(encode, part.payloads[some])), "times": times[some]}
            end = int(step.db.execute(statement, {**log, **values}).scalar_one())
        return end

    def _insert_into(self, name: str) -> TextClause:
        place = self._places.of(name)._asdict()
        return text(filled(_INSERT, self._shared, place, self._of_records(name)))

    def _time_of(self, microseconds: int) -> datetime:
        return datetime.fromtimestamp(microseconds / 1e6, UTC).replace(tzinfo=None)

    def _check_sizes(self, commit: Commit) -> None:
        for part in commit.parts:
            if sum(map(len, part.payloads)) > self.largest:
                raise ValueError(
                    f"the items of one append have more than {self.largest} bytes, and PostgreSQL "
                    "takes no value of a gigabyte: store them in several appends"
                )
            if max(map(len, part.replacements), default=0) > self.largest:
                raise ValueError(
                    f"an item has more than {self.largest} bytes, and PostgreSQL takes no value "
                    "of a gigabyte: store less in one item"
                )

    def _expressions(self) -> dict[str, str]:
        zoned = self.layout.zoned
        created_now, updated_now = (
            "clock_timestamp()" if f"sessions.{column}" in zoned else _NOW
            for column in ("created_at", "updated_at")
        )
        updated_at = utc("r.updated_at", "sessions.updated_at" in zoned)
        return {
            "created_now": created_now,
            "updated_now": updated_now,
            "later": f"greatest({updated_now}, r.updated_at + interval '1 microsecond')",
            # After the wait for the row: so times of records sort as positions do. The second is
            # that of commits that move the time of "main" forward.
            "taken_time": f"greatest({_NOW}, {updated_at})",
            "moved_time": updated_at,
        }

    def _fragments(self, part: Part) -> dict[str, str]:
        return {**super()._fragments(part), **self._of_records(part.log)}

    def _of_records(self, name: str) -> dict[str, str]:
        """The type of the payloads of a log, and expressions for the times of its records."""
        is_zoned = name == "main" and "messages.created_at" in self.layout.zoned
        return {
            "one": _PAYLOAD.of(name),
            "array": f"{_PAYLOAD.of(name)}[]",
            "record_time": utc("taken.at", is_zoned),
            "given_time": utc("given.at", is_zoned),
        }


_NOW = "timezone('utc', clock_timestamp())"
