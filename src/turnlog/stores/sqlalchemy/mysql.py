"""MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, inspect, text

from turnlog.errors import SchemaError
from turnlog.records import Log
from turnlog.stores.sqlalchemy import moments
from turnlog.stores.sqlalchemy.places import Place
from turnlog.stores.sqlalchemy.transactional import Transactional
from turnlog.stores.tables import Tables

__all__ = ["MySQL"]

#: What compares by code points and minds trailing spaces has several names.
_EXACT = {"utf8mb4_nopad_bin", "utf8mb4_0900_bin"}


class MySQL(Transactional):
    """MySQL 8 and MariaDB 10.5, and later."""

    # An index takes 3,072 bytes, and a character up to four.
    longest = (255, 128, 255)
    now = "UTC_TIMESTAMP(6)"
    key = "`key`"
    _begin = "START TRANSACTION"
    _touched = (
        "ON DUPLICATE KEY UPDATE updated_at = "
        "GREATEST(UTC_TIMESTAMP(6), updated_at + INTERVAL 1 MICROSECOND)"
    )
    _noted = "ON DUPLICATE KEY UPDATE updated_at = VALUES(updated_at), note = VALUES(note)"
    _main_of_column = ("main_of, ", ":main_of, ")
    _schema_table = (
        "CREATE TABLE turnlog_schema "
        "(messages_table VARCHAR(64) PRIMARY KEY, version INTEGER NOT NULL)"
    )

    def quoted(self, name: str) -> str:
        return _quoted(name).replace(":", "\\:")

    def time_of(self, moment: float) -> datetime:
        return moments.instant(moment)

    @contextmanager
    def hold_schema(self, db: Connection) -> Iterator[None]:
        # A lock of the connection's: MySQL ends the transaction with each change of a table.
        taken = db.execute(text("SELECT GET_LOCK('turnlog_schema', 60)")).scalar()
        if taken != 1:
            raise TimeoutError("another process has been changing the schema for a minute")
        try:
            yield
        finally:
            if not db.invalidated:  # a connection that has gone holds no lock
                db.execute(text("SELECT RELEASE_LOCK('turnlog_schema')"))

    def details(self, db: Connection) -> dict[str, Any]:
        return {"packet": int(db.execute(text("SELECT @@max_allowed_packet")).scalar_one())}

    def ddl(self, db: Connection, missing: Sequence[str]) -> list[str]:
        collation = _collation(db)
        shared = dict(zip(_both(self.tables), self._shared(collation), strict=True))
        tables = self.tables
        # Each table is a transaction of its own: some may be left of a try that broke off.
        names = (tables.records, tables.heads, tables.keys)
        ours = zip(names, self._ours(collation), strict=True)
        return [
            *(shared[table] for table in missing),
            *(statement for name, statement in ours if not self._has(db, name)),
        ]

    def check_shared(self, db: Connection) -> None:
        names = dict(zip("sm", _both(self.tables), strict=True))
        found = [(name, by) for name, by in db.execute(_COLLATIONS, names) if by not in _EXACT]
        if found:
            tables = " and ".join(repr(name) for name, _ in found)
            raise SchemaError(
                f"{tables} compare session ids by {found[0][1]}, to which different ids are equal, "
                f"such as 'a' and 'A'; change that with {self._cure(db)}"
            )

    def _cure(self, db: Connection) -> str:
        """The statements that give both tables a collation that tells all ids apart."""
        sessions, messages = map(_quoted, _both(self.tables))
        names = [key["name"] for key in inspect(db).get_foreign_keys(self.tables.messages)]
        drop = [f"ALTER TABLE {messages} DROP FOREIGN KEY {_quoted(str(name))}" for name in names]
        into = f"CONVERT TO CHARACTER SET utf8mb4 COLLATE {_collation(db)}"
        tie = (
            f"ALTER TABLE {messages} ADD FOREIGN KEY (session_id) "
            f"REFERENCES {sessions} (session_id) ON DELETE CASCADE"
        )
        convert = [f"ALTER TABLE {table} {into}" for table in (sessions, messages)]
        return "; ".join([*drop, *convert, tie])

    def _shared(self, collation: str) -> list[str]:
        sessions, messages = map(_quoted, _both(self.tables))
        engine = _engine(collation)
        return [
            f"CREATE TABLE {sessions} (session_id VARCHAR(255) PRIMARY KEY, "
            f"created_at {_NOW}, updated_at {_NOW}) {engine}",
            f"CREATE TABLE {messages} (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
            f"session_id VARCHAR(255) NOT NULL, message_data LONGTEXT NOT NULL, created_at {_NOW}, "
            f"INDEX (session_id, id), "
            f"FOREIGN KEY (session_id) REFERENCES {sessions} (session_id) ON DELETE CASCADE) "
            f"{engine}",
        ]

    def _ours(self, collation: str) -> list[str]:
        tables = self.tables
        records, heads, keys = map(_quoted, (tables.records, tables.heads, tables.keys))
        names = "session_id VARCHAR(255) NOT NULL, name VARCHAR(128) NOT NULL"
        # Set for the log "main" alone: so it is forgotten whole, also when another
        # library deletes the session.
        main_of = (
            f"main_of VARCHAR(255), FOREIGN KEY (main_of) "
            f"REFERENCES {_quoted(tables.sessions)} (session_id) ON DELETE CASCADE"
        )
        engine = _engine(collation)
        return [
            f"CREATE TABLE {records} (id BIGINT AUTO_INCREMENT PRIMARY KEY, {names}, "
            f"payload LONGBLOB NOT NULL, created_at {_NOW}, INDEX (session_id, name, id)) {engine}",
            f"CREATE TABLE {heads} ({names}, created_at {_NOW}, updated_at {_NOW}, "
            f"note LONGBLOB, {main_of}, PRIMARY KEY (session_id, name)) {engine}",
            f"CREATE TABLE {keys} ({names}, `key` VARCHAR(255) NOT NULL, "
            f"position BIGINT NOT NULL, {main_of}, PRIMARY KEY (session_id, name, `key`)) {engine}",
        ]

    def check_sizes(self, log: Log, payloads: Sequence[bytes]) -> None:
        packet = self.layout.packet
        room = (packet or _BOUNDLESS) - self._frame(log)
        for payload in payloads:
            # Every byte may have to be escaped; mostly that need not be counted.
            if len(payload) * 2 > room and _escaped(payload) > room:
                raise ValueError(
                    f"an item takes {_escaped(payload)} bytes in a statement, and the server's "
                    f"max_allowed_packet is {packet}: raise that, or store less in one item"
                )

    def in_packets(self, log: Log, rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
        # Drivers join rows to statements of up to a megabyte, whatever the server takes.
        frame, room = self._frame(log), self.layout.packet or _BOUNDLESS
        part: list[dict[str, Any]] = []
        size = 0
        for row in rows:
            takes = frame + _escaped(_bytes(row["payload"]))
            if part and size + takes > room:
                yield part
                part, size = [], 0
            part.append(row)
            size += takes
        yield part

    def _frame(self, log: Log) -> int:
        """How many bytes of a statement are no payload, at most."""
        names = sum(len(name.encode()) for name in (*log, *_both(self.tables)))
        return 512 + 8 * names

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


_NOW = "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"
_BOUNDLESS = 2**30
_COLLATIONS = text(
    "SELECT table_name, collation_name FROM information_schema.columns "
    "WHERE table_schema = DATABASE() AND column_name = 'session_id' AND table_name IN (:s, :m) "
    "ORDER BY table_name"
)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _engine(collation: str) -> str:
    return f"ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {collation}"


def _both(tables: Tables) -> tuple[str, str]:
    return tables.sessions, tables.messages


def _bytes(stored: str | bytes) -> bytes:
    return stored.encode() if isinstance(stored, str) else stored


def _escaped(payload: bytes) -> int:
    """How many bytes `payload` takes in a statement."""
    return 2 * len(payload) - len(payload.translate(None, _ESCAPED))


_ESCAPED = b"\0\n\r\x1a\"'\\"


def _collation(db: Connection) -> str:
    return "utf8mb4_nopad_bin" if getattr(db.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
