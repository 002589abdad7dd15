"""MySQL and MariaDB."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, inspect, text

from turnlog.store import Log
from turnlog.stores.sqlalchemy import moments
from turnlog.stores.sqlalchemy.dialect import Place
from turnlog.stores.sqlalchemy.transactional import Transactional

__all__ = ["MySQL"]


class MySQL(Transactional):
    """MySQL 8 and MariaDB 10.5, and later."""

    # An index takes 3,072 bytes, and a character up to four.
    longest = (255, 128, 255)
    now = "UTC_TIMESTAMP(6)"
    key = "`key`"
    _touched = (
        "ON DUPLICATE KEY UPDATE updated_at = "
        "GREATEST(UTC_TIMESTAMP(6), updated_at + INTERVAL 1 MICROSECOND)"
    )
    _noted = "ON DUPLICATE KEY UPDATE updated_at = VALUES(updated_at), note = VALUES(note)"
    _main_of_column = ("main_of, ", ":main_of, ")

    def quoted(self, name: str) -> str:
        return ("`" + name.replace("`", "``") + "`").replace(":", "\\:")

    def time_of(self, moment: float) -> datetime:
        return moments.instant(moment)

    def migrate(self, db: Connection, *, shared: bool) -> None:
        # A lock of the connection's: MySQL ends the transaction with each change of a table.
        taken = db.execute(text("SELECT GET_LOCK('turnlog_schema', 60)")).scalar()
        if taken != 1:
            raise TimeoutError("another process has been changing the schema for a minute")
        try:
            self._migrate(db, shared=shared)
        finally:
            db.execute(text("SELECT RELEASE_LOCK('turnlog_schema')"))

    def _migrate(self, db: Connection, *, shared: bool) -> None:
        if not inspect(db).has_table("turnlog_schema"):
            db.execute(
                text(
                    "CREATE TABLE turnlog_schema "
                    "(messages_table VARCHAR(64) PRIMARY KEY, version INTEGER NOT NULL)"
                )
            )
        if self.version(db) == self.newest:
            return
        if not shared:
            self.check_shared(db)
        # What compares by code points and minds trailing spaces has a name of its own here.
        collation = "utf8mb4_nopad_bin" if _is_mariadb(db) else "utf8mb4_0900_bin"
        for statement in self._schema(f"CHARACTER SET utf8mb4 COLLATE {collation}"):
            db.execute(text(statement))
        db.execute(
            text(
                "INSERT INTO turnlog_schema (messages_table, version) VALUES (:messages, :version)"
            ),
            {"messages": self.tables.messages, "version": self.newest},
        )

    def _schema(self, collated: str) -> list[str]:
        sessions, messages = self.main.row, self.main.records
        records, heads = self.other.records, self.other.row
        keys = self.quoted(self.tables.keys)
        now = "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"
        names = "session_id VARCHAR(255) NOT NULL, name VARCHAR(128) NOT NULL"
        # Set for the log "main" alone: so it is forgotten whole, also when another
        # library deletes the session.
        main_of = (
            "main_of VARCHAR(255), "
            f"FOREIGN KEY (main_of) REFERENCES {sessions} (session_id) ON DELETE CASCADE"
        )
        engine = f"ENGINE=InnoDB {collated}"
        return [
            f"CREATE TABLE IF NOT EXISTS {sessions} (session_id VARCHAR(255) PRIMARY KEY, "
            f"created_at {now}, updated_at {now}) {engine}",
            f"CREATE TABLE IF NOT EXISTS {messages} (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
            f"session_id VARCHAR(255) NOT NULL, message_data LONGTEXT NOT NULL, created_at {now}, "
            f"INDEX (session_id, id), "
            f"FOREIGN KEY (session_id) REFERENCES {sessions} (session_id) ON DELETE CASCADE) "
            f"{engine}",
            f"CREATE TABLE IF NOT EXISTS {records} (id BIGINT AUTO_INCREMENT PRIMARY KEY, {names}, "
            f"payload LONGBLOB NOT NULL, created_at {now}, INDEX (session_id, name, id)) {engine}",
            f"CREATE TABLE IF NOT EXISTS {heads} ({names}, created_at {now}, updated_at {now}, "
            f"note LONGBLOB, {main_of}, PRIMARY KEY (session_id, name)) {engine}",
            f"CREATE TABLE IF NOT EXISTS {keys} ({names}, `key` VARCHAR(255) NOT NULL, "
            f"position BIGINT NOT NULL, {main_of}, PRIMARY KEY (session_id, name, `key`)) {engine}",
        ]

    def _insert(self, place: Place) -> str:
        names = ":session" if place.is_main else ":session, :name"
        return (
            f"INSERT INTO {place.records} ({place.columns}, {place.payload}, created_at) "
            f"VALUES ({names}, :payload, :created_at)"
        )

    def _created(self, db: Connection, log: Log) -> dict[str, object]:
        # The row's time, which only moves forward: so time sorts as position does.
        place = self.place(log)
        statement = text(f"SELECT updated_at FROM {place.row} WHERE {self.where(place)}")
        return {"created_at": db.execute(statement, self.at(log)).scalar()}


def _is_mariadb(db: Connection) -> bool:
    return bool(getattr(db.dialect, "is_mariadb", False))
