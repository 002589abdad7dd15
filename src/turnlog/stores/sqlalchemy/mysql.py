"""MySQL and MariaDB: their statements, and how much their server takes in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from turnlog.changes import Committed
from turnlog.stores.sqlalchemy.commits import Commit
from turnlog.stores.sqlalchemy.deletion import Deletion
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.schema_mysql import quoted
from turnlog.stores.sqlalchemy.transactional import RowByRow, Templates
from turnlog.stores.tables import Tables, filled

__all__ = ["MySQL"]

_MAKE = """
    INSERT INTO {sessions} (session_id, created_at, updated_at, {main_last}, {main_length})
    VALUES ({session}, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 0, 0)
    ON DUPLICATE KEY UPDATE """
_LATER = """
    updated_at = GREATEST(
        UTC_TIMESTAMP(6), coalesce(updated_at + INTERVAL 1 MICROSECOND, UTC_TIMESTAMP(6)))
"""
_TEMPLATES = Templates(
    touch=_MAKE + _LATER,
    hold=_MAKE + "created_at = created_at",
    note_log="""
        INSERT INTO {logs} (session_id, name, last, length, created_at, updated_at, note)
        VALUES ({session}, {name}, {last}, {length}, {at}, {at}, '')
        ON DUPLICATE KEY UPDATE
            last = VALUES(last), length = VALUES(length), updated_at = VALUES(updated_at)
    """,
    move=f"UPDATE {{sessions}} SET {_LATER.strip()} WHERE session_id = {{session}}",
)


# With the time that the session's row has got. In VALUES, since INSERT ... SELECT would keep other
# sessions waiting for their positions.
_APPEND_ONE = """
    INSERT INTO {messages} (session_id, message_data, created_at)
    VALUES (:session, :payload, (SELECT updated_at FROM {sessions} WHERE session_id = :session))
"""


class MySQL(RowByRow):
    """MySQL 8 and MariaDB 10.5, and later."""

    # An index takes 3,072 bytes, and a character up to four.
    _longest = (255, 128)
    _begin = "START TRANSACTION"
    _beyond = "({time} {after} :at OR ({time} = :at AND {id} {after} :session))"
    _templates = _TEMPLATES
    # The time of "main" only moves forward: so times of records sort as positions do.
    _at = ("UTC_TIMESTAMP(6)", "s.updated_at")

    def __init__(self, tables: Tables, layout: Layout) -> None:
        if not layout.has_null_times:
            self._changed = "s.updated_at"  # which has an index
        super().__init__(tables, layout)
        self._deletion = Deletion(self._shared)
        self._append_one = text(filled(_APPEND_ONE, self._shared))
        self._names_size = sum(len(name.encode()) for name in (tables.sessions, tables.messages))

    def commit(self, db: Connection, commit: Commit) -> Committed:
        if not _is_plain(commit):
            return super().commit(db, commit)
        self._check_sizes(commit)
        (part,) = commit.parts
        values = {"session": commit.session, "payload": self._form.encode(part.payloads[0])}
        db.execute(self._statements.touch, values)
        return commit.result({"main": int(db.execute(self._append_one, values).lastrowid)})

    def delete(self, db: Connection, session: str, expect: int | None) -> None:
        self._deletion.delete(db, session, expect)

    def _quoted(self, name: str) -> str:
        return quoted(name)

    def _time_of(self, microseconds: int) -> datetime:
        return datetime.fromtimestamp(microseconds / 1e6, UTC).replace(tzinfo=None)

    def _check_sizes(self, commit: Commit) -> None:
        for part in commit.parts:
            room = self._room(len(part.log.encode()) + len(commit.session.encode()))
            note = () if part.annotation is None else (part.annotation.note,)
            encode = self._places.of(part.log).encode
            for payload in (*part.payloads, *part.replacements):
                self._check_size(payload, room, encode)
            for each in note:
                self._check_size(each, room, bytes)

    def _check_size(
        self, payload: bytes, room: int, encode: Callable[[bytes], str | bytes]
    ) -> None:
        # Every byte may have to be escaped, or all are stored as base64; most payloads are too
        # short to count them.
        if len(payload) * 2 <= room:
            return
        size = _escaped(_bytes(encode(payload)))
        if size > room:
            raise ValueError(
                f"an item takes {size} bytes in a statement, and the server's "
                f"max_allowed_packet is {self.layout.packet}: raise that, or store less in one item"
            )

    def _in_packets(
        self, log: Mapping[str, str], rows: list[dict[str, Any]]
    ) -> Iterator[list[dict[str, Any]]]:
        # Drivers join rows to statements of up to a megabyte, whatever the server takes.
        named = sum(len(name.encode()) for name in log.values())
        frame, room = self._frame(named), self.layout.packet or _UNLIMITED
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

    def _room(self, named: int) -> int:
        """How many bytes a payload may take in a statement."""
        return (self.layout.packet or _UNLIMITED) - self._frame(named)

    def _frame(self, named: int) -> int:
        """The size of a statement without its payload, at most.

        named: the size of the names of the log.
        """
        return 512 + 8 * (self._names_size + named)


def _is_plain(commit: Commit) -> bool:
    """Whether it adds one record to "main", and need not know what is there."""
    main = commit.main
    return (
        main is not None
        and commit.is_unconditional
        and len(commit.parts) == 1
        and main.shape.is_single
        and main.times is None
        and not commit.counts
    )


_UNLIMITED = 2**30


def _bytes(stored: str | bytes) -> bytes:
    return stored.encode() if isinstance(stored, str) else stored


def _escaped(payload: bytes) -> int:
    """How many bytes `payload` takes in a statement."""
    return 2 * len(payload) - len(payload.translate(None, _ESCAPED))


_ESCAPED = b"\0\n\r\x1a\"'\\"
