"""Schema on MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, inspect, text

from turnlog.errors import SchemaError
from turnlog.stores.sqlalchemy.schema import Schema
from turnlog.stores.tables import filled

__all__ = ["MySQLSchema", "quoted"]

_SESSIONS = """
    CREATE TABLE {sessions} (
        session_id VARCHAR(255) PRIMARY KEY,
        created_at {time},
        updated_at {time}
    ) {engine}
"""
_MESSAGES = """
    CREATE TABLE {messages} (
        id BIGINT AUTO_INCREMENT PRIMARY KEY,
        session_id VARCHAR(255) NOT NULL,
        message_data LONGTEXT NOT NULL,
        created_at {time},
        INDEX (session_id, id),
        FOREIGN KEY (session_id) REFERENCES {sessions} (session_id) ON DELETE CASCADE
    ) {engine}
"""
_RECORDS = """
    CREATE TABLE {records} (
        id BIGINT AUTO_INCREMENT PRIMARY KEY,
        session_id VARCHAR(255) NOT NULL,
        name VARCHAR(128) NOT NULL,
        payload LONGBLOB NOT NULL,
        created_at {time},
        INDEX (session_id, name, id)
    ) {engine}
"""
# `main_of` is set for the log "main" alone: so its note and keys are deleted with the session,
# also when another library deletes it.
_HEADS = """
    CREATE TABLE {heads} (
        session_id VARCHAR(255) NOT NULL,
        name VARCHAR(128) NOT NULL,
        created_at {time},
        updated_at {time},
        note LONGBLOB,
        main_of VARCHAR(255),
        FOREIGN KEY (main_of) REFERENCES {sessions} (session_id) ON DELETE CASCADE,
        PRIMARY KEY (session_id, name)
    ) {engine}
"""
_KEYS = """
    CREATE TABLE {keys} (
        session_id VARCHAR(255) NOT NULL,
        name VARCHAR(128) NOT NULL,
        `key` VARCHAR(255) NOT NULL,
        position BIGINT NOT NULL,
        main_of VARCHAR(255),
        FOREIGN KEY (main_of) REFERENCES {sessions} (session_id) ON DELETE CASCADE,
        PRIMARY KEY (session_id, name, `key`)
    ) {engine}
"""
_TIME = "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"

_COLLATIONS = text("""
    SELECT table_name, collation_name FROM information_schema.columns
    WHERE table_schema = DATABASE() AND column_name = 'session_id'
        AND table_name IN (:sessions, :messages)
    ORDER BY table_name
""")
#: Collations that compare by code points and respect trailing spaces.
_EXACT = {"utf8mb4_nopad_bin", "utf8mb4_0900_bin"}


class MySQLSchema(Schema):
    """The tables on MySQL and MariaDB."""

    _schema_table = """
        CREATE TABLE turnlog_schema
        (messages_table VARCHAR(64) PRIMARY KEY, version INTEGER NOT NULL)
    """

    @contextmanager
    def _held(self, db: Connection) -> Iterator[None]:
        # A lock of the connection's: MySQL ends the transaction with each change of a table.
        taken = db.execute(text("SELECT GET_LOCK('turnlog_schema', 60)")).scalar()
        if taken != 1:
            raise TimeoutError("another process has been changing the schema for a minute")
        try:
            yield
            # Before the lock is released: else the next process doesn't see the version.
            db.exec_driver_sql("COMMIT")
        finally:
            if not db.invalidated:  # a connection that is gone holds no lock
                db.execute(text("SELECT RELEASE_LOCK('turnlog_schema')"))

    def _details(self, db: Connection) -> dict[str, Any]:
        return {"packet": int(db.execute(text("SELECT @@max_allowed_packet")).scalar_one())}

    def _ddl(self, db: Connection, missing: Sequence[str]) -> list[str]:
        tables = self.tables
        names = {
            **tables.names(quoted),
            "time": _TIME,
            "engine": f"ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {_collation(db)}",
        }
        # Each table is a transaction of its own: some may exist after a try that broke off.
        ours = [
            table
            for table in (tables.records, tables.heads, tables.keys)
            if not self._has(db, table)
        ]
        templates = {getattr(tables, role): template for role, template in _ROLES.items()}
        return [filled(templates[table], names) for table in (*missing, *ours)]

    def _check_shared(self, db: Connection) -> None:
        names = {"sessions": self.tables.sessions, "messages": self.tables.messages}
        found = [(name, by) for name, by in db.execute(_COLLATIONS, names) if by not in _EXACT]
        if found:
            tables = " and ".join(repr(name) for name, _ in found)
            raise SchemaError(
                f"{tables} compare session ids by {found[0][1]}, in which different ids are equal, "
                f"such as 'a' and 'A'; change that with {self._cure(db)}"
            )

    def _cure(self, db: Connection) -> str:
        """The statements that give both tables a collation in which all ids differ."""
        sessions, messages = quoted(self.tables.sessions), quoted(self.tables.messages)
        names = [key["name"] for key in inspect(db).get_foreign_keys(self.tables.messages)]
        drop = [f"ALTER TABLE {messages} DROP FOREIGN KEY {quoted(str(name))}" for name in names]
        into = f"CONVERT TO CHARACTER SET utf8mb4 COLLATE {_collation(db)}"
        tie = (
            f"ALTER TABLE {messages} ADD FOREIGN KEY (session_id) "
            f"REFERENCES {sessions} (session_id) ON DELETE CASCADE"
        )
        convert = [f"ALTER TABLE {table} {into}" for table in (sessions, messages)]
        return "; ".join([*drop, *convert, tie])


_ROLES = {
    "sessions": _SESSIONS,
    "messages": _MESSAGES,
    "records": _RECORDS,
    "heads": _HEADS,
    "keys": _KEYS,
}


def quoted(name: str) -> str:
    """`name` as MySQL takes any name."""
    return "`" + name.replace("`", "``") + "`"


def _collation(db: Connection) -> str:
    return "utf8mb4_nopad_bin" if getattr(db.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
