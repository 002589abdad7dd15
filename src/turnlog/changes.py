"""Changes: what one commit may do to the logs of a conversation, and how it is checked.

Every store calls `check_changes` before it writes, and `check_conditions` once it knows where
the logs end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from turnlog.errors import Conflict, KeyReused, RecordChanged
from turnlog.records import Log
from turnlog.texts import check_payloads, check_texts

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "Annotate",
    "Append",
    "Change",
    "Check",
    "Committed",
    "Forget",
    "Key",
    "Remove",
    "Replace",
    "adds",
    "check_changes",
    "check_conditions",
    "is_volatile",
    "makes_session",
    "writes",
]


class Append(NamedTuple):
    """Adds `payloads` at the end of a log, in order.

    With no payloads and no `cut`, nothing is written and no log is made; `expect` is checked.
    """

    log: str
    payloads: Sequence[bytes]
    #: `Conflict` unless the log ended at this position before the commit (0: was empty).
    expect: int | None = None
    #: First removes the records behind this position. What is added gets higher positions than
    #: the records that were removed.
    cut: int | None = None
    #: The `created_at` of each record, in seconds since the epoch; None means now.
    times: Sequence[float | None] | None = None


class Remove(NamedTuple):
    """Removes the records with after < position < before. The log stays, even if empty."""

    log: str
    after: int = 0
    before: int | None = None
    #: `Conflict` unless the log ended at this position before the commit.
    expect: int | None = None


class Annotate(NamedTuple):
    """Sets the note in the head of a log, and makes the log if it is missing."""

    log: str
    note: bytes
    #: `Conflict` unless this was the note before the commit (b"": there was none).
    expect: bytes | None = None


class Forget(NamedTuple):
    """Deletes a log with its records and its note.

    The log "main" stays in the list of sessions, empty, as long as the conversation exists.
    """

    log: str
    #: `Conflict` unless the log ended at this position before the commit.
    expect: int | None = None


class Replace(NamedTuple):
    """Gives records other payloads, in place.

    Their positions and times stay, and so does all that the head tells, such as `updated_at`.
    """

    log: str
    #: The positions of the records, in ascending order.
    positions: Sequence[int]
    #: The new payload of each.
    payloads: Sequence[bytes]
    #: `RecordChanged` unless each record was there with this payload before the commit.
    old: Sequence[bytes]
    #: `Conflict` unless the log ended at this position before the commit.
    expect: int | None = None


class Check(NamedTuple):
    """Writes nothing: `Conflict` unless the log ended at `expect` before the commit."""

    log: str
    expect: int


Change: TypeAlias = Append | Remove | Annotate | Forget | Check | Replace
#: The same for `isinstance`, which takes three times as long with the above.
_KINDS = (Append, Remove, Annotate, Forget, Check, Replace)


class Key(NamedTuple):
    """A name for a commit, by which a retry is recognised.

    On one session, a commit that writes happens once under one key. Keys are deleted with the
    session. They stay when a log is emptied or forgotten.
    """

    name: str
    #: A digest of what is written, at most 64 bytes. If it and the stored one are both given and
    #: differ, the commit raises `KeyReused`: two writes have the same name by mistake.
    digest: bytes = b""
    #: Whether the store may forget the key after a day.
    brief: bool = False

    @classmethod
    def of(cls, log: Log, name: str, digest: bytes = b"") -> Self:
        """The key `name` of one log: on another log, the same name is another key."""
        return cls(f"{len(log.name)}:{log.name}{name}", digest)

    @property
    def hash(self) -> bytes:
        """16 bytes that stand for the name in a database: the beginning of its SHA-256."""
        return sha256(self.name.encode()).digest()[:16]

    def check_digest(self, stored: bytes) -> None:
        """Raise `KeyReused` if `stored`, the digest of the first commit, is another one."""
        if self.digest and stored and self.digest != stored:
            raise KeyReused


class Committed(NamedTuple):
    """The result of a commit."""

    #: Where the log of each change ended after the commit, in the order of the changes; 0 if
    #: it was empty. For a replayed commit: what the first one returned.
    positions: tuple[int, ...]
    #: Whether the key was known, and nothing was done now.
    replayed: bool = False

    @classmethod
    def at(cls, changes: Sequence[Change], ends: Mapping[str, int]) -> Self:
        """The result of a commit after which the logs end at `ends`; missing ones are empty."""
        return cls(tuple(ends.get(change.log, 0) for change in changes))


#: The longest digest of a key, in bytes.
_LONGEST_DIGEST = 64
#: Seconds since the epoch at the beginning of the year 10000, which databases don't know.
_LAST_TIME = 253_402_300_800


def check_changes(session: str, changes: Sequence[Change], key: Key | None = None) -> None:
    """Check the arguments of a commit, before anything is written.

    Raises `TypeError` for a value of another type, `ValueError` for an id, name or key with lone
    surrogates, for changes that contradict each other, and for a digest that is too long.
    """
    check_texts(session)
    _check_key(key)
    named: set[str] = set()
    annotated: set[str] = set()
    for change in changes:
        if not isinstance(change, _KINDS):
            raise TypeError(
                f"a commit takes Append, Remove, Annotate, Forget, Check and Replace, "
                f"not {type(change).__name__}"
            )
        check_texts(change.log)
        _check_change(change)
        seen = annotated if isinstance(change, Annotate) else named
        if change.log in seen:
            raise ValueError(
                f"two changes of one commit concern log {change.log!r}: a commit names each log "
                f"in one Append, Remove, Forget, Check or Replace, and in one Annotate, at most"
            )
        seen.add(change.log)
    _check_forgotten(changes, annotated)


def check_conditions(
    session: str,
    changes: Sequence[Change],
    ends: Mapping[str, int],
    notes: Mapping[str, bytes],
    payloads: Callable[[Replace], Sequence[bytes | None]] = lambda _: (),
) -> None:
    """Raise `Conflict` for the first change whose condition fails.

    ends: where each log ends; a log that is not among them is empty.
    notes: the note of each log; a log that is not among them has none.
    payloads: the stored payload at each position of a `Replace`; None where no record is.
    """
    for change in changes:
        actual: int | bytes
        if isinstance(change, Annotate):
            actual = notes.get(change.log, b"")
        else:
            actual = ends.get(change.log, 0)
        if change.expect is not None and change.expect != actual:
            raise Conflict(Log(session, change.log), change.expect, actual)
        if isinstance(change, Replace):
            _check_replaced(session, change, payloads(change))


def _check_replaced(session: str, change: Replace, stored: Sequence[bytes | None]) -> None:
    """Raise `RecordChanged` for the first record that is not stored as `change` expects.

    stored: the payload at each of its positions; None where no record is.
    """
    for position, old, found in zip(change.positions, change.old, stored, strict=True):
        if found != old:
            raise RecordChanged(Log(session, change.log), position, is_gone=found is None)


def adds(changes: Sequence[Change]) -> bool:
    """Whether `changes` add a record or set a note."""
    return any(
        isinstance(change, Annotate) or (isinstance(change, Append) and len(change.payloads) > 0)
        for change in changes
    )


def makes_session(changes: Sequence[Change], key: Key | None) -> bool:
    """Whether a commit makes the session if it doesn't exist: it adds something, or keeps a key."""
    return adds(changes) or (key is not None and writes(changes))


def writes(changes: Sequence[Change]) -> bool:
    """Whether `changes` may write anything. A commit that can't write doesn't keep its key."""
    return any(_writes(change) for change in changes)


def is_volatile(changes: Sequence[Change]) -> bool:
    """Whether a commit need not wait for the disk: all logs that it changes are volatile."""
    for change in changes:
        # Most logs are not: they are seen at a glance.
        if not isinstance(change, Check) and (
            change.log[:1] != ":" or not Log("", change.log).is_volatile
        ):
            return False
    return True


def _writes(change: Change) -> bool:
    if isinstance(change, Append):
        return len(change.payloads) > 0 or change.cut is not None
    if isinstance(change, Replace):
        return len(change.positions) > 0
    return not isinstance(change, Check)


def _check_change(change: Change) -> None:
    if isinstance(change, Append):
        check_payloads(change.payloads)
        if change.times is not None:
            _check_times(change.times, len(change.payloads))
    elif isinstance(change, Annotate):
        check_payloads([change.note])
    elif isinstance(change, Replace):
        _check_replacement(change)


def _check_replacement(change: Replace) -> None:
    check_payloads(change.payloads)
    check_payloads(change.old)
    positions = change.positions
    for position in positions:
        if not isinstance(position, int):
            raise TypeError(f"a position must be an int, not {type(position).__name__}")
    if not len(positions) == len(change.payloads) == len(change.old):
        raise ValueError("a Replace takes as many positions as payloads and old payloads")
    if any(first >= second for first, second in pairwise(positions)):
        raise ValueError("the positions of a Replace are to be in ascending order, each once")


def _check_forgotten(changes: Sequence[Change], annotated: set[str]) -> None:
    for change in changes if annotated else ():
        if isinstance(change, Forget) and change.log in annotated:
            raise ValueError(f"a commit can't both forget log {change.log!r} and set its note")


def _check_times(times: Sequence[float | None], count: int) -> None:
    if len(times) != count:
        raise ValueError(f"an Append has {count} payloads and {len(times)} times")
    for moment in times:
        if moment is not None and not 0 <= moment < _LAST_TIME:
            raise ValueError(f"a time must be in seconds from 1970 to 9999, and one is {moment}")


def _check_key(key: Key | None) -> None:
    if key is None:
        return
    if not isinstance(key, Key):
        raise TypeError(f"key must be a Key, such as Key('name'), not {type(key).__name__}")
    check_texts(key.name)
    check_payloads([key.digest])
    if len(key.digest) > _LONGEST_DIGEST:
        raise ValueError(
            f"the digest of a key has {len(key.digest)} bytes; at most {_LONGEST_DIGEST} are kept"
        )
