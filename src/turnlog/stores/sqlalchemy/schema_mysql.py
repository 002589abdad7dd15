"""Schema on MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, inspect, text

from turnlog.errors import SchemaError
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.schema_servers import ServerSchema, Templates

__all__ = ["MySQLSchema", "quoted"]

_TEMPLATES = Templates(
    sessions="""
        CREATE TABLE {sessions} (
            session_id VARCHAR(255) PRIMARY KEY,
            created_at {time},
            updated_at {time}
        ) {engine}
    """,
    messages="""
        CREATE TABLE {messages} (
            id BIGINT AUTO_INCREMENT PRIMARY KEY,
            session_id VARCHAR(255) NOT NULL,
            message_data LONGTEXT NOT NULL,
            created_at {time},
            INDEX (session_id, id),
            FOREIGN KEY (session_id) REFERENCES {sessions} (session_id) ON DELETE CASCADE
        ) {engine}
    """,
    records="""
        CREATE TABLE {records} (
            id BIGINT AUTO_INCREMENT PRIMARY KEY,
            session_id VARCHAR(255) NOT NULL,
            name VARCHAR(128) NOT NULL,
            payload LONGBLOB NOT NULL,
            created_at {time},
            INDEX (session_id, name, id),
            FOREIGN KEY (session_id) REFERENCES {sessions} (session_id) ON DELETE CASCADE
        ) {engine}
    """,
    logs="""
        CREATE TABLE {logs} (
            session_id VARCHAR(255) NOT NULL,
            name VARCHAR(128) NOT NULL,
            last BIGINT NOT NULL,
            length BIGINT NOT NULL,
            created_at {time},
            updated_at {time},
            note LONGBLOB NOT NULL,
            PRIMARY KEY (session_id, name),
            FOREIGN KEY (session_id) REFERENCES {sessions} (session_id) ON DELETE CASCADE
        ) {engine}
    """,
    writes="""
        CREATE TABLE {writes} (
            session_id VARCHAR(255) NOT NULL,
            day INTEGER NOT NULL,
            hash BINARY(16) NOT NULL,
            digest VARBINARY(64) NOT NULL,
            positions TEXT NOT NULL,
            PRIMARY KEY (session_id, day, hash),
            FOREIGN KEY (session_id) REFERENCES {sessions} (session_id) ON DELETE CASCADE
        ) {engine}
    """,
    position="BIGINT",
    note="LONGBLOB",
    # What an upgrade that broke off has stored stays as it is. (IGNORE would leave warnings, which
    # a driver prints with the session ids in them.)
    heads=(
        # A log without a head, which an old error may have left: it is read, so it stays.
        """
        INSERT INTO {moved_heads} (session_id, name, created_at, updated_at)
        SELECT session_id, name, min(created_at), max(created_at)
        FROM {records} GROUP BY session_id, name
        ON DUPLICATE KEY UPDATE {moved_heads}.session_id = {moved_heads}.session_id
        """,
        """
        INSERT INTO {sessions} (session_id, created_at, updated_at)
        SELECT session_id, min(created_at), max(updated_at)
        FROM {moved_heads} WHERE name <> 'main' GROUP BY session_id
        ON DUPLICATE KEY UPDATE {sessions}.session_id = {sessions}.session_id
        """,
        """
        UPDATE {sessions} s JOIN {moved_heads} h ON h.session_id = s.session_id
        SET s.{main_note} = h.note, s.updated_at = s.updated_at WHERE h.name = 'main'
        """,
        """
        INSERT INTO {logs} (session_id, name, last, length, created_at, updated_at, note)
        SELECT h.session_id, h.name, coalesce(r.last, 0), coalesce(r.length, 0),
            h.created_at, h.updated_at, coalesce(h.note, '')
        FROM {moved_heads} h LEFT JOIN (
            SELECT session_id, name, max(id) AS last, count(*) AS length
            FROM {records} GROUP BY session_id, name
        ) r ON r.session_id = h.session_id AND r.name = h.name
        WHERE h.name <> 'main'
        ON DUPLICATE KEY UPDATE {logs}.session_id = {logs}.session_id
        """,
    ),
    keys=(
        """
        INSERT INTO {writes} (session_id, day, hash, digest, positions)
        SELECT k.session_id, 0, unhex(left(sha2(concat(
            CAST(char_length(k.name) AS CHAR), ':', k.name, k.`key`), 256), 32)), '', k.position
        FROM {moved_keys} k JOIN {sessions} s ON s.session_id = k.session_id
        ON DUPLICATE KEY UPDATE {writes}.session_id = {writes}.session_id
        """,
    ),
    # The time is set to what it is: a column of others may have "ON UPDATE CURRENT_TIMESTAMP".
    lengths="""
        UPDATE {sessions} s JOIN (
            SELECT session_id, max(id) AS last, count(*) AS length FROM {messages}
            GROUP BY session_id HAVING count(*) > {long}
        ) m ON m.session_id = s.session_id
        SET s.{main_last} = m.last, s.{main_length} = m.length, s.updated_at = s.updated_at
    """,
)
# A list is sorted by these two; a prefix is looked up by the primary key.
_BY_TIME = "CREATE INDEX {by_time} ON {sessions} (updated_at, session_id)"
_TIME = "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"

_COLLATIONS = text("""
    SELECT table_name, collation_name FROM information_schema.columns
    WHERE table_schema = DATABASE() AND column_name = 'session_id'
        AND table_name IN (:sessions, :messages)
    ORDER BY table_name
""")
#: Collations that compare by code points and respect trailing spaces.
_EXACT = {"utf8mb4_nopad_bin", "utf8mb4_0900_bin"}
_NULL_TIMES = text("""
    SELECT count(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = :sessions AND column_name = 'updated_at'
        AND is_nullable = 'YES'
""")


class MySQLSchema(ServerSchema):
    """The tables on MySQL and MariaDB."""

    _schema_table = """
        CREATE TABLE turnlog_schema
        (messages_table VARCHAR(64) PRIMARY KEY, version INTEGER NOT NULL)
    """
    _templates = _TEMPLATES

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
        null_times = db.execute(_NULL_TIMES, {"sessions": self.tables.sessions}).scalar()
        packet = db.execute(text("SELECT @@max_allowed_packet")).scalar_one()
        return {"packet": int(packet), "has_null_times": bool(null_times)}

    def _fragments(self, db: Connection, layout: Layout) -> Mapping[str, object]:  # noqa: ARG002 - the connection tells
        return {
            "time": _TIME,
            "engine": f"ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {_collation(db)}",
            "by_time": quoted(_INDEX),
        }

    def _indexes(self, db: Connection, layout: Layout) -> list[str]:
        sessions = self.tables.sessions
        indexes = [] if sessions in layout.missing else inspect(db).get_indexes(sessions)
        return [] if any(index["name"] == _INDEX for index in indexes) else [_BY_TIME]

    def _quoted(self, name: str) -> str:
        return quoted(name)

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


_INDEX = "turnlog_by_time"


def quoted(name: str) -> str:
    """`name` as MySQL takes any name."""
    return "`" + name.replace("`", "``") + "`"


def _collation(db: Connection) -> str:
    return "utf8mb4_nopad_bin" if getattr(db.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
