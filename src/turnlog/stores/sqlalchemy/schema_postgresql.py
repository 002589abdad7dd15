"""Schema on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.schema_servers import ServerSchema, Templates
from turnlog.stores.tables import quoted

__all__ = ["PostgreSQLSchema", "changed_at", "utc"]

_TEMPLATES = Templates(
    sessions="""
        CREATE TABLE {sessions} (
            session_id VARCHAR PRIMARY KEY,
            created_at {time},
            updated_at {time}
        )
    """,
    messages="""
        CREATE TABLE {messages} (
            id BIGSERIAL PRIMARY KEY,
            session_id VARCHAR NOT NULL REFERENCES {sessions} (session_id) ON DELETE CASCADE,
            message_data TEXT NOT NULL,
            created_at {time}
        )
    """,
    records="""
        CREATE TABLE {records} (
            id BIGSERIAL PRIMARY KEY,
            session_id VARCHAR NOT NULL REFERENCES {sessions} (session_id) ON DELETE CASCADE,
            name VARCHAR NOT NULL,
            payload BYTEA NOT NULL,
            created_at {time}
        )
    """,
    logs="""
        CREATE TABLE {logs} (
            session_id VARCHAR NOT NULL REFERENCES {sessions} (session_id) ON DELETE CASCADE,
            name VARCHAR NOT NULL,
            last BIGINT NOT NULL,
            length BIGINT NOT NULL,
            created_at {time},
            updated_at {time},
            note BYTEA NOT NULL,
            PRIMARY KEY (session_id, name)
        )
    """,
    writes="""
        CREATE TABLE {writes} (
            session_id VARCHAR NOT NULL REFERENCES {sessions} (session_id) ON DELETE CASCADE,
            day INTEGER NOT NULL,
            hash BYTEA NOT NULL,
            digest BYTEA NOT NULL,
            positions TEXT NOT NULL,
            PRIMARY KEY (session_id, day, hash)
        )
    """,
    position="BIGINT",
    note="BYTEA",
    heads=(
        # A log without a head, which an old error may have left: it is read, so it stays.
        """
        INSERT INTO {moved_heads} (session_id, name, created_at, updated_at)
        SELECT session_id, name, min(created_at), max(created_at)
        FROM {records} GROUP BY session_id, name
        ON CONFLICT DO NOTHING
        """,
        """
        INSERT INTO {sessions} (session_id, created_at, updated_at)
        SELECT session_id, {stored_created}, {stored_updated} FROM (
            SELECT session_id, min(created_at) AS first, max(updated_at) AS latest
            FROM {moved_heads} WHERE name <> 'main' GROUP BY session_id
        ) h
        ON CONFLICT DO NOTHING
        """,
        """
        UPDATE {sessions} s SET {main_note} = h.note FROM {moved_heads} h
        WHERE h.session_id = s.session_id AND h.name = 'main'
        """,
        """
        INSERT INTO {logs} (session_id, name, last, length, created_at, updated_at, note)
        SELECT h.session_id, h.name, coalesce(max(r.id), 0), count(r.id),
            h.created_at, h.updated_at, h.note
        FROM {moved_heads} h
        LEFT JOIN {records} r ON r.session_id = h.session_id AND r.name = h.name
        WHERE h.name <> 'main' GROUP BY h.session_id, h.name
        ON CONFLICT DO NOTHING
        """,
    ),
    keys=(
        """
        INSERT INTO {writes} (session_id, day, hash, digest, positions)
        SELECT session_id, 0, substring(sha256(convert_to(
            char_length(name) || ':' || name || key, 'UTF8')) FROM 1 FOR 16), '', position
        FROM {moved_keys} JOIN {sessions} USING (session_id)
        ON CONFLICT DO NOTHING
        """,
    ),
    lengths="""
        UPDATE {sessions} s SET {main_last} = m.last, {main_length} = m.length
        FROM (
            SELECT session_id, max(id) AS last, count(*) AS length FROM {messages}
            GROUP BY session_id HAVING count(*) > {long}
        ) m
        WHERE m.session_id = s.session_id
    """,
)
# A list is sorted by these two, and a prefix is looked up by the third. Text is compared by code
# points, which the index of the primary key seldom does.
_BY_TIME = (
    'CREATE INDEX IF NOT EXISTS {by_time} ON {sessions} (({changed}), session_id COLLATE "C")'
)
_BY_ID = 'CREATE INDEX IF NOT EXISTS {by_id} ON {sessions} (session_id COLLATE "C")'
_MESSAGES = "CREATE INDEX IF NOT EXISTS {of_messages} ON {messages} (session_id, id)"
_RECORDS = "CREATE INDEX IF NOT EXISTS {of_records} ON {records} (session_id, name, id)"
_LONGEST_NAME = 63
_TIME = "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP"

#: Which columns of times have a time zone. Those of tables that we made have none: they are UTC.
_ZONED = text(r"""
    SELECT CASE attrelid WHEN to_regclass(:sessions) THEN 'sessions.' ELSE 'messages.' END
        || attname
    FROM pg_attribute
    WHERE attrelid IN (to_regclass(:sessions), to_regclass(:messages))
        AND attname IN ('created_at', 'updated_at') AND atttypid = 'timestamptz'\:\:regtype
""")


class PostgreSQLSchema(ServerSchema):
    """The tables on PostgreSQL."""

    _templates = _TEMPLATES

    @contextmanager
    def _held(self, db: Connection) -> Iterator[None]:
        # After the wait for a lock, what others did meanwhile has to be seen.
        db.execute(text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
        # Held until the transaction ends: the next process finds the work done.
        db.execute(text("SELECT pg_advisory_xact_lock(hashtext('turnlog_schema'))"))
        yield

    def _details(self, db: Connection) -> dict[str, Any]:
        names = {"sessions": quoted(self.tables.sessions), "messages": quoted(self.tables.messages)}
        return {"zoned": frozenset(db.execute(_ZONED, names).scalars())}

    def _fragments(self, db: Connection, layout: Layout) -> Mapping[str, object]:  # noqa: ARG002 - the layout tells
        messages, zoned = self.tables.messages, layout.zoned
        return {
            "time": _TIME,
            "of_messages": quoted(f"idx_{messages}_session_id"),
            "of_records": quoted(f"turnlog_{messages}_records_log"),
            # The part that differs comes first: the end of a long name is cut off.
            "by_time": quoted(f"turnlog_by_time_{self.tables.sessions}"),
            "by_id": quoted(f"turnlog_by_id_{self.tables.sessions}"),
            "changed": changed_at("", zoned),
            "stored_created": utc("first", "sessions.created_at" in zoned),
            "stored_updated": utc("latest", "sessions.updated_at" in zoned),
        }

    def _indexes(self, db: Connection, layout: Layout) -> list[str]:  # noqa: ARG002 - each says "if not exists"
        first = [] if layout.version else [_MESSAGES, _RECORDS]
        return [*first, _BY_TIME, _BY_ID]

    def _quoted(self, name: str) -> str:
        return quoted(name)

    def _stored_name(self, name: str) -> str:
        # PostgreSQL cuts longer ones off, and says so in a notice only.
        return name.encode()[:_LONGEST_NAME].decode(errors="ignore")


def changed_at(row: str, zoned: frozenset[str]) -> str:
    """The time at which a session was changed, in UTC without a time zone.

    row: what precedes the names of columns, such as "s.".
    zoned: which columns have a time zone.
    """
    updated = utc(f"{row}updated_at", "sessions.updated_at" in zoned)
    created = utc(f"{row}created_at", "sessions.created_at" in zoned)
    return f"coalesce({updated}, {created})"


def utc(column: str, is_zoned: bool) -> str:
    """A time with a time zone as one in UTC without, or the other way round."""
    return f"timezone('utc', {column})" if is_zoned else column
