"""Schema on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, inspect, text

from turnlog.stores.sqlalchemy.schema import Schema
from turnlog.stores.tables import filled, quoted

__all__ = ["PostgreSQLSchema"]

_SESSIONS = """
    CREATE TABLE {sessions} (
        session_id VARCHAR PRIMARY KEY,
        created_at {time},
        updated_at {time}
    )
"""
_MESSAGES = """
    CREATE TABLE {messages} (
        id BIGSERIAL PRIMARY KEY,
        session_id VARCHAR NOT NULL REFERENCES {sessions} (session_id) ON DELETE CASCADE,
        message_data TEXT NOT NULL,
        created_at {time}
    )
"""
_INDEX = "CREATE INDEX {index} ON {messages} (session_id, id)"
# `main_of` is set for the log "main" alone: so its note and keys are deleted with the session,
# also when the SDK clears it.
_OURS = (
    """
    CREATE TABLE {records} (
        id BIGSERIAL PRIMARY KEY,
        session_id VARCHAR NOT NULL,
        name VARCHAR NOT NULL,
        payload BYTEA NOT NULL,
        created_at {time}
    )
    """,
    "CREATE INDEX {records_index} ON {records} (session_id, name, id)",
    """
    CREATE TABLE {heads} (
        session_id VARCHAR NOT NULL,
        name VARCHAR NOT NULL,
        main_of VARCHAR REFERENCES {sessions} (session_id) ON DELETE CASCADE,
        created_at {time},
        updated_at {time},
        note BYTEA NOT NULL DEFAULT '',
        PRIMARY KEY (session_id, name)
    )
    """,
    "CREATE INDEX ON {heads} (main_of)",
    """
    CREATE TABLE {keys} (
        session_id VARCHAR NOT NULL,
        name VARCHAR NOT NULL,
        main_of VARCHAR REFERENCES {sessions} (session_id) ON DELETE CASCADE,
        key VARCHAR NOT NULL,
        position BIGINT NOT NULL,
        PRIMARY KEY (session_id, name, key)
    )
    """,
    "CREATE INDEX ON {keys} (main_of)",
)
_TIME = "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP"

#: Which columns of times have a time zone. Those of tables that we made have none: they are UTC.
_ZONED = text(r"""
    SELECT CASE attrelid WHEN to_regclass(:sessions) THEN 'sessions.' ELSE 'messages.' END
        || attname
    FROM pg_attribute
    WHERE attrelid IN (to_regclass(:sessions), to_regclass(:messages))
        AND attname IN ('created_at', 'updated_at') AND atttypid = 'timestamptz'\:\:regtype
""")


class PostgreSQLSchema(Schema):
    """The tables on PostgreSQL."""

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

    def _ddl(self, db: Connection, missing: Sequence[str]) -> list[str]:
        tables = self.tables
        names = {
            **tables.names(quoted),
            "index": quoted(self._index_name),
            "records_index": quoted(f"turnlog_{tables.messages}_records_log"),
            "time": _TIME,
        }
        shared = {tables.sessions: _SESSIONS, tables.messages: _MESSAGES}
        index = [] if self._has_index(db, missing) else [_INDEX]
        templates = (*(shared[table] for table in missing), *index, *_OURS)
        return [filled(template, names) for template in templates]

    @property
    def _index_name(self) -> str:
        return f"idx_{self.tables.messages}_session_id"

    def _has_index(self, db: Connection, missing: Sequence[str]) -> bool:
        """Whether there is the index that reads need."""
        if self.tables.messages in missing:
            return False
        indexes = inspect(db).get_indexes(self.tables.messages)
        return any(index["name"] == self._index_name for index in indexes)
