"""Errors of stores: what a database holds, and whether it can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnlog.errors.root import TurnlogError

if TYPE_CHECKING:
    from turnlog.records import Log

__all__ = [
    "Conflict",
    "FileReplaced",
    "KeyReused",
    "RecordChanged",
    "SchemaError",
    "StoreClosed",
    "StoreUnreachable",
    "Unreadable",
]


class Conflict(TurnlogError, RuntimeError):
    """The log, or its note, was not what the writer expected. Nothing was written.

    Read the log again, decide again, and repeat with what is there now.

    expected, actual: where the log was expected to end and where it ends; or the expected note
        and the stored one.
    """

    def __init__(self, log: Log, expected: int | bytes, actual: int | bytes) -> None:
        super().__init__(log, expected, actual)
        self.log = log
        self.expected = expected
        self.actual = actual

    def __repr__(self) -> str:
        return f"Conflict({str(self)!r})"

    def __str__(self) -> str:
        name = f"log {self.log.name!r} of session {self.log.session!r}"
        if isinstance(self.actual, bytes):  # which may quote people, so it is not shown
            return (
                f"the note of {name} is not the expected one: another writer changed it; "
                f"nothing was written"
            )
        return (
            f"{name} ends at position {self.actual}, not at {self.expected!r}: "
            f"another writer changed it; nothing was written"
        )


class RecordChanged(Conflict):
    """A record that was to be replaced is gone or was replaced meanwhile. Nothing was written."""

    def __init__(self, log: Log, position: int, is_gone: bool) -> None:
        super().__init__(log, position, 0 if is_gone else position)
        self.args = (log, position, is_gone)
        self.position = position
        self.is_gone = is_gone

    def __str__(self) -> str:
        happened = "is gone" if self.is_gone else "was replaced"
        return (
            f"record {self.position} of log {self.log.name!r} of session {self.log.session!r} "
            f"{happened}: another writer changed it; nothing was written"
        )


class FileReplaced(TurnlogError, RuntimeError):
    """The database file, or its -wal, was moved, deleted or replaced while it was open.

    The next call opens the file that the path names then.

    is_unwritten: whether it is certain that the file which the path names now holds nothing of
        this call.
    """

    def __init__(self, path: str, is_unwritten: bool) -> None:
        super().__init__(path, is_unwritten)
        self.path = path
        self.is_unwritten = is_unwritten

    def __str__(self) -> str:
        written = (
            "the file that the path names now holds nothing of this call"
            if self.is_unwritten
            else "it is not known whether this write was kept: read before you repeat it"
        )
        return (
            f"the database file {self.path}, or its -wal, was moved, deleted or replaced while it "
            f"was open; {written}. The next call opens the file that the path names then"
        )


class KeyReused(TurnlogError, ValueError):
    """The key of a write or a run was used for other contents. Nothing was written.

    A key names one request: two that differ were given the same key by mistake.
    """

    def __str__(self) -> str:
        return "the key of this write was used for other contents: give each write its own key"


class SchemaError(TurnlogError, RuntimeError):
    """The tables are missing, can't be used as they are, or are of a newer version."""


class StoreClosed(TurnlogError, RuntimeError):
    """The session or store was used after it was closed.

    name: of its class.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} is closed"


class StoreUnreachable(TurnlogError, ConnectionError):
    """The server of a store can't be reached. The driver's own error is the `__cause__`.

    Unless it says otherwise, it is not known whether a write was stored: read before you repeat
    it, or give it a key.

    store: the kind of store, such as "Redis".
    address: where it was looked for, without user and password.
    tried: the seconds for which it was tried.
    reason: why the last try failed.
    """

    def __init__(self, store: str, address: str, tried: float, reason: str) -> None:
        super().__init__(reason)  # an OSError takes the second of several for its text
        self.store = store
        self.address = address
        self.tried = tried
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.store, self.address, self.tried, self.reason), vars(self)

    def __str__(self) -> str:
        return (
            f"{self.store} at {self.address} can't be reached, tried for {self.tried:.1f} s: "
            f"{self.reason}. Is the server running, and is this its address?"
        )


class Unreadable(TurnlogError, ValueError):
    """A stored record can't be read: it can't be decoded, or not be decrypted. It is still stored.

    position: of the record; 0 if the problem is not that of one record.
    """

    def __init__(self, log: Log, position: int, problem: str) -> None:
        super().__init__(log, position, problem)
        self.log = log
        self.position = position
        self.problem = problem

    def __str__(self) -> str:
        record = f"record {self.position} of " if self.position else ""
        return f"{record}log {self.log.name!r} of session {self.log.session!r}: {self.problem}"
