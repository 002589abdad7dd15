"""Store: the contract between conversations and databases.

A `Store` keeps named, append-only logs of bytes. It knows nothing of JSON, roles, turns or
settings: these are written once, above it. Every verb is mandatory, so every store has every
feature. `turnlog.testing.StoreTests` checks the contract.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Generic, NamedTuple, ParamSpec, TypeVar

from turnlog.records import Log, Records

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = [
    "END",
    "Call",
    "Cursor",
    "Head",
    "Layer",
    "Store",
    "check",
    "prefix_end",
    "span",
]

P = ParamSpec("P")
T = TypeVar("T")

#: The greatest position, and the greatest limit, that every database can hold.
END = 2**63 - 1


class Cursor(NamedTuple):
    """A position in the list of sessions: right after this session's head."""

    updated_at: float
    session: str


class Head(NamedTuple):
    """The facts of a log that are known without reading its records."""

    log: Log
    #: The position of the last record, 0 when the log is empty.
    last: int
    #: How many records the log holds.
    length: int
    #: Seconds since the epoch, UTC.
    created_at: float
    #: Seconds since the epoch, UTC, of the last append, removal or note.
    updated_at: float
    #: A small annotation, such as a title; b"" when there is none.
    note: bytes

    @property
    def cursor(self) -> Cursor:
        """The `after` that makes `Store.sessions` continue after this head."""
        return Cursor(self.updated_at, self.log.session)


class Store(ABC):
    """One database behind the contract.

    A store is long-lived and shared by all its sessions, from any number of
    tasks, threads and event loops. An ``async with`` block closes it at its end.

    Within one log, the order that readers see is the order of commits: a later
    read always extends an earlier one. A write waits for the disk, unless its log is volatile
    (`Log.is_volatile`). A write that is cancelled waits until its outcome is known; it happened
    wholly or not at all. After `aclose`, every verb raises `StoreClosed`. Names and keys that
    the database can't hold raise `ValueError` before anything is written.
    """

    @property
    def place(self) -> Hashable:
        """Identifies the database: equal for two stores that read and write the same logs.

        By default a store is equal to itself alone. A layer forwards it; a layer that renames
        sessions adds how.
        """
        return self

    @abstractmethod
    async def append(
        self,
        log: Log,
        payloads: Sequence[bytes],
        *,
        expect: int | None = None,
        key: str | None = None,
    ) -> int:
        """Add `payloads` at the end of `log`, in order, all of them or none.

        Returns the position of the log's last record. With no payloads, nothing is
        written and no log is made, but `expect` is still checked.

        expect: raises `Conflict` unless the log ends at this position (0: is empty).
        key: an append with this key happens once on this log, however often it is called;
            a later call returns what the first returned, whatever its other arguments.
            Keys outlive the records and are deleted with the log.
        """

    @abstractmethod
    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
    ) -> Records:
        """The newest `limit` records with after < position < before, oldest first.

        A log that doesn't exist is empty. A negative `limit` raises `ValueError`.
        """

    @abstractmethod
    async def remove(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        expect: int | None = None,
    ) -> int:
        """Delete the records with after < position < before, all of them or none.

        Returns how many were deleted. The log stays, even if it is empty then.

        expect: raises `Conflict` unless the log ends at this position.
        """

    @abstractmethod
    async def annotate(self, log: Log, note: bytes) -> None:
        """Set the note in the head of `log`, and make the log if it is missing."""

    @abstractmethod
    async def logs(self, session: str) -> list[Head]:
        """The heads of all logs of `session`, by name."""

    @abstractmethod
    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        """The heads of the main logs, most recently changed first.

        prefix: only sessions whose id begins with exactly these characters.
        after: the `cursor` of the last head of the page before.
        limit: at most this many; a negative one raises `ValueError`.
        """

    @abstractmethod
    async def delete(self, session: str, name: str | None = None) -> None:
        """Delete one log of `session`, or all of them. Deleting nothing is fine."""

    @abstractmethod
    async def aclose(self) -> None:
        """Finish the calls in progress and close the store. Closing twice is fine."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class Call(Generic[T]):
    """A call of one verb, on its way to the store behind a layer. Await `call()` to make it.

    verb: the name of the method.
    args: its positional arguments.
    """

    def __init__(
        self, verb: str, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        self.verb = verb
        self.args: tuple[object, ...] = args
        self._work = partial(work, *args, **kwargs)

    def __call__(self) -> Awaitable[T]:
        return self._work()


class Layer(Store):
    """A store in front of another store. It forwards every call; override what you change.

    Override `around` for work around every call, such as measuring it. Layers can be stacked:
    each passes the tests of a store.
    """

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    @property
    def place(self) -> Hashable:
        return self.inner.place

    async def around(self, call: Call[T]) -> T:
        """Make `call`. Every verb goes through here."""
        return await call()

    async def append(
        self,
        log: Log,
        payloads: Sequence[bytes],
        *,
        expect: int | None = None,
        key: str | None = None,
    ) -> int:
        inner = self.inner.append
        return await self.around(Call("append", inner, log, payloads, expect=expect, key=key))

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
    ) -> Records:
        inner = self.inner.read
        return await self.around(Call("read", inner, log, after=after, before=before, limit=limit))

    async def remove(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        expect: int | None = None,
    ) -> int:
        inner = self.inner.remove
        return await self.around(
            Call("remove", inner, log, after=after, before=before, expect=expect)
        )

    async def annotate(self, log: Log, note: bytes) -> None:
        await self.around(Call("annotate", self.inner.annotate, log, note))

    async def logs(self, session: str) -> list[Head]:
        return await self.around(Call("logs", self.inner.logs, session))

    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        inner = self.inner.sessions
        return await self.around(Call("sessions", inner, prefix=prefix, after=after, limit=limit))

    async def delete(self, session: str, name: str | None = None) -> None:
        await self.around(Call("delete", self.inner.delete, session, name))

    async def aclose(self) -> None:
        await self.around(Call("aclose", self.inner.aclose))


def check(*texts: str, payloads: Sequence[bytes] = (), limit: int | None = None) -> None:
    """Check the arguments of a verb. Every store calls this before it writes.

    Raises `TypeError` for a text that is not a str and a payload that is not bytes,
    `ValueError` for a text with lone surrogates and for a negative limit.
    """
    for text in texts:
        if not _str(text).isascii() and _SURROGATE.search(text):
            raise ValueError(
                "an id, log name or key holds a lone surrogate, which UTF-8 can't encode"
            )
    for payload in payloads:
        _bytes(payload)
    if limit is not None and limit < 0:
        raise ValueError(f"limit must not be negative, and is {limit}")


def span(after: int, before: int | None, end: int = END) -> tuple[int, int]:
    """The bounds `after` and `before`, cut down to what a column can hold.

    Positions begin at 1; `end` is the greatest that the column holds.
    """
    return min(max(after, 0), end), end if before is None else min(max(before, 0), end)


def prefix_end(prefix: str) -> str | None:
    """The least text that is greater than all texts with `prefix`, compared by code points.

    None if there is no such text.
    """
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(following if following != _SURROGATES.start else _SURROGATES.stop)


def _str(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(f"ids, log names and keys must be str, not {type(value).__name__}")


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    raise TypeError(f"payloads and notes must be bytes, not {type(value).__name__}")


_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATES = range(0xD800, 0xE000)
