"""Store: the contract between conversations and databases.

A `Store` keeps named, append-only logs of bytes. It knows nothing of JSON, roles, turns or
settings: these are written once, above it. Every verb is mandatory, so every store has every
feature. `turnlog.testing.StoreTests` checks the contract.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Generic, NamedTuple, ParamSpec, TypeVar

from turnlog.changes import Annotate, Append, Change, Committed, Key, Remove
from turnlog.records import Log, Records
from turnlog.texts import SURROGATES, check_texts

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
    read always extends an earlier one. A write that is cancelled waits until its outcome is
    known; it happened wholly or not at all. After `aclose`, every verb raises `StoreClosed`.
    Names and keys that the database can't hold raise `ValueError` before anything is written.
    """

    #: For how many seconds the leases of runs on this store last, unless a run or its session
    #: says otherwise; None for the default. Stores themselves don't look at it.
    lease_seconds: float | None = None

    @property
    @abstractmethod
    def identity(self) -> Hashable:
        """Equal for two stores exactly when they read and write the same logs.

        For a server: its address and the namespace in it; for a file: its resolved path; for a
        store in memory: the store. A layer forwards it; one that renames sessions adds how.
        """

    @abstractmethod
    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        """Make `changes` in the logs of `session`, all of them or none, in one step.

        All conditions are compared with the state before the commit, in the order of the
        changes. The first that fails raises `Conflict`, and nothing is written. A commit names
        each log in one `Append`, `Remove`, `Forget`, `Check` or `Replace` at most, and in one
        `Annotate`; else it raises `ValueError`.

        key: the commit happens once on this session, however often it is called with this key:
            a later call returns what the first one returned, before it looks at any condition.
            So ``commit(session, [Check(log, -1)], key=key)`` asks whether a key is known. A
            commit that writes nothing, such as this, does not make its key known.

        A commit that adds a record, sets a note or keeps a key makes the conversation exist,
        with an empty log "main" at least. Of the logs that it names, only those that really
        change get a new `updated_at`; a `Replace` gives none. The commit waits for the disk,
        unless all logs that it changes are volatile (`Log.is_volatile`).
        """

    @abstractmethod
    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        oldest: bool = False,
    ) -> Records:
        """The newest `limit` records with after < position < before, oldest first.

        oldest: the oldest `limit` records instead.

        A log that doesn't exist is empty. A negative `limit` raises `ValueError`.
        """

    @abstractmethod
    async def logs(self, session: str) -> list[Head]:
        """The heads of all logs of `session`, by name; none if it doesn't exist."""

    @abstractmethod
    async def sessions(
        self,
        *,
        prefix: str = "",
        after: Cursor | None = None,
        limit: int = 50,
        oldest: bool = False,
    ) -> list[Head]:
        """The heads of the main logs, most recently changed first.

        prefix: only sessions whose id begins with exactly these characters.
        after: the `cursor` of the last head of the page before.
        limit: at most this many; a negative one raises `ValueError`.
        oldest: the least recently changed first.
        """

    @abstractmethod
    async def delete(self, session: str, *, expect: int | None = None) -> None:
        """Delete `session` with all its logs and keys. Deleting nothing is fine.

        expect: raises `Conflict` unless the log "main" ends at this position.
        """

    async def append(
        self,
        log: Log,
        payloads: Sequence[bytes],
        *,
        expect: int | None = None,
        key: Key | None = None,
    ) -> int:
        """Commit one `Append`. Returns the position at which the log ends afterwards."""
        change = Append(log.name, payloads, expect)
        return (await self.commit(log.session, [change], key=key)).positions[0]

    async def remove(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        expect: int | None = None,
    ) -> int:
        """Commit one `Remove`. Returns the position at which the log ends afterwards."""
        change = Remove(log.name, after, before, expect)
        return (await self.commit(log.session, [change])).positions[0]

    async def annotate(self, log: Log, note: bytes, *, expect: bytes | None = None) -> None:
        """Commit one `Annotate`."""
        await self.commit(log.session, [Annotate(log.name, note, expect)])

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
    """A call of one verb of the store behind a layer. Await `call()` to make it.

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

    Override `around` for work around every call, such as measuring or refusing it:

        class ReadOnly(Layer):
            async def around(self, call):
                if call.verb in ("commit", "delete"):
                    raise PermissionError("this store is read-only")
                return await call()

    Layers can be stacked: each that changes nothing passes the tests of a store.
    """

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    @property
    def identity(self) -> Hashable:
        return self.inner.identity

    @property
    def lease_seconds(self) -> float | None:
        return self.inner.lease_seconds

    @lease_seconds.setter
    def lease_seconds(self, seconds: float | None) -> None:
        self.inner.lease_seconds = seconds

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"

    async def around(self, call: Call[T]) -> T:
        """Make `call`. Every verb goes through here."""
        return await call()

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        return await self.around(Call("commit", self.inner.commit, session, changes, key=key))

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        oldest: bool = False,
    ) -> Records:
        inner = self.inner.read
        return await self.around(
            Call("read", inner, log, after=after, before=before, limit=limit, oldest=oldest)
        )

    async def logs(self, session: str) -> list[Head]:
        return await self.around(Call("logs", self.inner.logs, session))

    async def sessions(
        self,
        *,
        prefix: str = "",
        after: Cursor | None = None,
        limit: int = 50,
        oldest: bool = False,
    ) -> list[Head]:
        inner = self.inner.sessions
        return await self.around(
            Call("sessions", inner, prefix=prefix, after=after, limit=limit, oldest=oldest)
        )

    async def delete(self, session: str, *, expect: int | None = None) -> None:
        await self.around(Call("delete", self.inner.delete, session, expect=expect))

    async def aclose(self) -> None:
        await self.around(Call("aclose", self.inner.aclose))


def check(*texts: str, limit: int | None = None) -> None:
    """Check the arguments of a verb that reads or deletes; `check_changes` does it for a commit.

    Raises `TypeError` for a text that is not a str, `ValueError` for a text with lone
    surrogates and for a negative limit.
    """
    check_texts(*texts)
    if limit is not None and not isinstance(limit, int):
        raise TypeError(f"limit must be an int or None, not {type(limit).__name__}: use int(…)")
    if limit is not None and limit < 0:
        raise ValueError(f"limit must not be negative, and is {limit}")


def span(after: int, before: int | None, end: int = END) -> tuple[int, int]:
    """The bounds `after` and `before`, limited to what a column can hold.

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
    return stem[:-1] + chr(following if following != SURROGATES.start else SURROGATES.stop)
