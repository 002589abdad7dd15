"""Errors: every error that Turnlog raises itself, in one tree.

Each one also derives from the builtin it resembles, so that code for Python's own errors keeps
working. Errors of a driver pass through unchanged, unless we know more about the cause.

    TurnlogError
    ├── AppendUncertain (RuntimeError)  whether a provider has stored some items can't be known
    ├── BranchDeleted   (ValueError)    the branch that was to be written to was deleted
    ├── BranchNameUsed  (ValueError)    a branch of the conversation has or had this name
    ├── Conflict        (RuntimeError)  a log or its note was not what the writer expected
    ├── FileReplaced    (RuntimeError)  the database file was moved or deleted while it was open
    ├── IncompleteAppend (RuntimeError) some of the items are stored at a provider, and others not
    ├── InvalidItem     (TypeError)     an item has no JSON form; nothing was written
    ├── LeaseLost       (RuntimeError)  the run lost its lease on the session; nothing was written
    ├── MaxTurnsExceeded (RuntimeError) the model was called as often as allowed, without an answer
    ├── ModelBehaviorError (ValueError) the answer of a model can't be used
    ├── NoSuchBranch    (ValueError)    the conversation has no branch of this name
    ├── NoSuchRecord    (ValueError)    the branch has no record at this position
    ├── NoSuchTurn      (ValueError)    the branch has no turn of this number
    ├── NotSupported    (NotImplementedError) this kind of session can't do that
    ├── PopUncertain    (RuntimeError)  an item may be gone, and it is not known by whose call
    ├── RecordChanged   (Conflict)      a record that was to be replaced is gone or was replaced
    ├── SchemaError     (RuntimeError)  tables are missing, can't be used, or are of a newer version
    ├── SessionBusy     (RuntimeError)  another run is in progress on the session
    ├── SessionWaitTimeout (SessionBusy, TimeoutError) another one was in progress for too long
    ├── StoreClosed     (RuntimeError)  the session or store was used after it was closed
    ├── StoreUnreachable (ConnectionError) the server of a store can't be reached
    ├── TurnEnded       (LeaseLost)     the turn was used after its end; nothing was written
    └── Unreadable      (ValueError)    a stored record can't be decoded or decrypted

No error text quotes the contents of an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnlog.records import Log

__all__ = [
    "AppendUncertain",
    "BranchDeleted",
    "BranchNameUsed",
    "Conflict",
    "FileReplaced",
    "IncompleteAppend",
    "InvalidItem",
    "LeaseLost",
    "MaxTurnsExceeded",
    "ModelBehaviorError",
    "NoSuchBranch",
    "NoSuchRecord",
    "NoSuchTurn",
    "NotSupported",
    "PopUncertain",
    "RecordChanged",
    "SchemaError",
    "SessionBusy",
    "SessionWaitTimeout",
    "StoreClosed",
    "StoreUnreachable",
    "TurnEnded",
    "TurnlogError",
    "Unreadable",
]


class TurnlogError(Exception):
    """The root of every error that Turnlog raises itself."""


class AppendUncertain(TurnlogError, RuntimeError):
    """Whether a provider has stored some items can't be known. They are not sent again.

    The answer to their request was lost, other writers have removed all items that were known,
    and items with the same contents are there, which may be older.

    stored: the items that are stored before them.
    remaining: the others, in order.
    unknown: of so many of these, the first ones, it is not known.
    """

    def __init__(
        self, stored: Sequence[dict[str, Any]], remaining: list[dict[str, Any]], unknown: int
    ) -> None:
        super().__init__(stored, remaining, unknown)
        self.stored = list(stored)
        self.remaining = remaining
        self.unknown = unknown

    def __repr__(self) -> str:
        return f"AppendUncertain({str(self)!r})"  # the items are what people said

    def __str__(self) -> str:
        return (
            f"{len(self.stored)} of {len(self.stored) + len(self.remaining)} items are stored, and "
            f"whether the next {self.unknown} are can't be known: an answer was lost, and other "
            "writers have removed all items that were known before. Read the session, then add "
            "error.remaining[error.unknown:] if they are there, or list(error.remaining) if not; "
            "both without a key"
        )


class BranchDeleted(TurnlogError, ValueError):
    """The branch was deleted, so it can't be written to. Nothing was written."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.log = log

    def __str__(self) -> str:
        return (
            f"branch {self.log.name!r} of session {self.log.session!r} was deleted, so nothing "
            "was written: move this session to another branch with switch_to(…), or fork one"
        )


class BranchNameUsed(TurnlogError, ValueError):
    """A branch of the conversation has this name, or had it. No name is used twice."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.log = log

    def __str__(self) -> str:
        return (
            f"Branch ID {self.log.name!r} has already been used in session {self.log.session!r}: "
            "choose another name, or none to get a new one; a deleted branch keeps its name"
        )


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


class IncompleteAppend(TurnlogError, RuntimeError):
    """A provider has stored the first part of the items, and the rest not.

    Pass `remaining` to `add_items` of the same conversation to go on; nothing is stored twice.

    stored: the items that are stored; with their ids, as far as the provider gave them back.
    remaining: the others, in order. Of the first 20 of them it may be unknown whether they are
        stored; `remaining` remembers where to look, which a copy of the list does not.
    """

    def __init__(self, stored: Sequence[dict[str, Any]], remaining: list[dict[str, Any]]) -> None:
        super().__init__(stored, remaining)
        self.stored = list(stored)
        self.remaining = remaining

    def __repr__(self) -> str:
        return f"IncompleteAppend({str(self)!r})"  # the items are what people said

    def __str__(self) -> str:
        return (
            f"{len(self.stored)} of {len(self.stored) + len(self.remaining)} items are stored: "
            f"to go on, pass `remaining` of this error to add_items; it looks first which of them "
            f"are stored, so that none is stored twice"
        )


class InvalidItem(TurnlogError, TypeError):
    """An item has no JSON form. Nothing was written.

    `path` names the place inside the item, such as ``item.content[0].data``.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class LeaseLost(TurnlogError, RuntimeError):
    """The run had lost its lease on the session when it wanted to write. Nothing was written.

    The lease was not renewed in time and another run took over, or the session was cleared or
    its branch was deleted.
    """

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.log = log

    def __str__(self) -> str:
        return (
            f"this run lost its lease on log {self.log.name!r} of session {self.log.session!r}: "
            "it was not renewed in time and another run took over, or the session was cleared or "
            "the branch deleted. Nothing was written; start the run again"
        )


class TurnEnded(LeaseLost):
    """The turn was used after its end. Nothing was written.

    answered: its run key was answered by an earlier start, so there was nothing to do in it.
    """

    def __init__(self, log: Log, *, answered: bool = False) -> None:
        super().__init__(log)
        self.answered = answered

    def __reduce__(self) -> tuple[Any, ...]:
        return _turn_ended, (self.log, self.answered)

    def __str__(self) -> str:
        turn = f"the turn on log {self.log.name!r} of session {self.log.session!r}"
        if self.answered:
            return (
                f"{turn} was answered by an earlier start with the same key, so nothing was "
                f"written: use `turn.answer`, and call the model only where that is None"
            )
        return (
            f"{turn} has ended with its block, so nothing was written: call it inside of "
            f"`async with session.turn(…)`, or use session.add_items(…)"
        )


def _turn_ended(log: Log, answered: bool) -> TurnEnded:
    return TurnEnded(log, answered=answered)


class SessionBusy(TurnlogError, RuntimeError):
    """Another run is in progress on the session, and the policy is not to wait for it."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.log = log

    def __str__(self) -> str:
        return (
            f"another run is in progress on log {self.log.name!r} of session {self.log.session!r}: "
            'try again when it has ended, or use the policy "queue", which waits'
        )


class SessionWaitTimeout(SessionBusy, TimeoutError):
    """The run has waited for another one on the session for as long as it may. It wrote nothing.

    reason: for how long it has waited, and for what.
    """

    def __init__(self, log: Log, reason: str) -> None:
        super().__init__(log)
        self.args = (log, reason)
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the run on log {self.log.name!r} of session {self.log.session!r} {self.reason}: "
            "try again later, or raise busy_timeout"
        )


class MaxTurnsExceeded(TurnlogError, RuntimeError):
    """The model was called as often as allowed, without an answer. Its tool calls are stored."""

    def __init__(self, max_turns: int) -> None:
        super().__init__(max_turns)
        self.max_turns = max_turns

    def __str__(self) -> str:
        return f"the model was called {self.max_turns} times without an answer: raise max_turns"


class ModelBehaviorError(TurnlogError, ValueError):
    """The answer of a model can't be used: it broke off, failed, or has the wrong form."""


class NoSuchBranch(TurnlogError, ValueError):
    """The conversation has no branch of this name."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.log = log

    def __str__(self) -> str:
        return (
            f"Branch {self.log.name!r} does not exist in session {self.log.session!r}: "
            "branches() lists those that do"
        )


class NoSuchRecord(TurnlogError, ValueError):
    """The branch has no record at this position."""

    def __init__(self, log: Log, position: int) -> None:
        super().__init__(log, position)
        self.log = log
        self.position = position

    def __str__(self) -> str:
        return (
            f"branch {self.log.name!r} of session {self.log.session!r} has no record at position "
            f"{self.position}: turns() and explain() tell the positions of its records"
        )


class NoSuchTurn(TurnlogError, ValueError):
    """The branch has no turn of this number."""

    def __init__(self, log: Log, number: int) -> None:
        super().__init__(log, number)
        self.log = log
        self.number = number

    def __str__(self) -> str:
        return (
            f"Turn {self.number} does not contain a user message in branch {self.log.name!r} of "
            f"session {self.log.session!r}: turns() lists the turns, which are counted from 1"
        )


class NotSupported(TurnlogError, NotImplementedError):
    """This kind of session can't do that. Nothing was done."""


class PopUncertain(TurnlogError, RuntimeError):
    """The answer to the removal of an item was lost. It is gone, or that can't be known.

    If it is gone, this call removed it, or another one meanwhile.

    item: the item that was to be removed.
    """

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__(item)
        self.item = item

    def __repr__(self) -> str:
        return f"PopUncertain({str(self)!r})"  # the item is what people said

    def __str__(self) -> str:
        return (
            "the answer to the removal of the newest item was lost, and the item is gone, or that "
            "can't be known: this call removed it, or another one did so at the same time. Read "
            "the session before you pop again"
        )


class SchemaError(TurnlogError, RuntimeError):
    """The tables are missing, can't be used as they are, or are of a newer version."""


class StoreClosed(TurnlogError, RuntimeError):
    """The session or store was used after it was closed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is closed")


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
        super().__init__(store, address, tried, reason)
        self.store = store
        self.address = address
        self.tried = tried
        self.reason = reason

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
