"""MySQL and MariaDB: their statements, and how much their server takes in one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, TextClause, text

from turnlog.records import Log
from turnlog.stores.sqlalchemy.deletion import Deletion
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.places import Place
from turnlog.stores.sqlalchemy.schema_mysql import quoted
from turnlog.stores.sqlalchemy.transactional import Templates, Transactional
from turnlog.stores.tables import Tables

__all__ = ["MySQL"]

_TEMPLATES = Templates(
    touch="""
        INSERT INTO {row} ({columns}, created_at, updated_at)
        VALUES ({values}, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
        ON DUPLICATE KEY UPDATE
            updated_at = GREATEST(UTC_TIMESTAMP(6), updated_at + INTERVAL 1 MICROSECOND)
    """,
    insert="""
        INSERT INTO {records} ({columns}, {payload}, created_at)
        VALUES ({values}, :payload, :created_at)
    """,
    annotate="""
        INSERT INTO {heads} (session_id, name, main_of, created_at, updated_at, note)
        VALUES (:session, :name, {main_of}, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), :note)
        ON DUPLICATE KEY UPDATE updated_at = VALUES(updated_at), note = VALUES(note)
    """,
    store_key="""
        INSERT INTO {keys} (session_id, name, main_of, {key}, position)
        VALUES (:session, :name, {main_of}, :key, :position)
    """,
)
_UPDATED_AT = "SELECT updated_at FROM {row} WHERE {here}"


class MySQL(Transactional):
    """MySQL 8 and MariaDB 10.5, and later."""

    # An index takes 3,072 bytes, and a character up to four.
    _longest = (255, 128, 255)
    _begin = "START TRANSACTION"
    _key = "`key`"
    _templates = _TEMPLATES

    def __init__(self, tables: Tables, layout: Layout) -> None:
        super().__init__(tables, layout)
        self._updated_at = self._places.map(self._updated_at_of)
        self._deletion = Deletion(self._names, both="({main}) UNION ALL ({others})")
        self._names_size = sum(len(name.encode()) for name in (tables.sessions, tables.messages))

    def delete(self, db: Connection, session: str, name: str | None) -> None:
        self._deletion.delete(db, session, name)

    def _quoted(self, name: str) -> str:
        return quoted(name)

    def _time_of(self, microseconds: int) -> datetime:
        return datetime.fromtimestamp(microseconds / 1e6, UTC).replace(tzinfo=None)

    def _updated_at_of(self, place: Place) -> TextClause:
        return text(self._filled(_UPDATED_AT, place))

    def _created_at(self, db: Connection, log: Log) -> dict[str, object]:
        # The row's time, which only moves forward: so time sorts as position does.
        return {"created_at": db.execute(self._updated_at.of(log), log._asdict()).scalar()}

    def _check_sizes(self, log: Log, payloads: Sequence[bytes]) -> None:
        packet = self.layout.packet
        room = (packet or _UNLIMITED) - self._frame(log)
        for payload in payloads:
            # Every byte may have to be escaped; most payloads are too short to count them.
            if len(payload) * 2 > room and _escaped(payload) > room:
                raise ValueError(
                    f"an item takes {_escaped(payload)} bytes in a statement, and the server's "
                    f"max_allowed_packet is {packet}: raise that, or store less in one item"
                )

    def _in_packets(self, log: Log, rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
        # Drivers join rows to statements of up to a megabyte, whatever the server takes.
        frame, room = self._frame(log), self.layout.packet or _UNLIMITED
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
        """The size of a statement without its payload, at most."""
        return 512 + 8 * (self._names_size + sum(len(name.encode()) for name in log))


_UNLIMITED = 2**30


def _bytes(stored: str | bytes) -> bytes:
    return stored.encode() if isinstance(stored, str) else stored


def _escaped(payload: bytes) -> int:
    """How many bytes `payload` takes in a statement."""
    return 2 * len(payload) - len(payload.translate(None, _ESCAPED))


_ESCAPED = b"\0\n\r\x1a\"'\\"
