"""Blocking stores: the contract of a store as calls that wait."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar

from turnlog.changes import Change, Committed, Key
from turnlog.records import Log, Records
from turnlog.store import Cursor, Head, Store
from turnlog.sync.loop import run
from turnlog.urls import open_store as open_async_store

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["BlockingStore", "open_store"]


class BlockingStore:
    """A store, with methods that wait. Each does what the method of that name does.

    store: the store itself, such as a layer: ``BlockingStore(Encrypted(store, keyring))``.

    Made by `turnlog.sync.open_store`. A `with` block closes it at its end.
    """

    #: What needs a store for asyncio refuses this one by it.
    blocks: ClassVar[bool] = True

    def __init__(self, store: Store) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"sync.{self.store!r}"

    @property
    def identity(self) -> Hashable:
        """Equal for two stores exactly when they read and write the same logs."""
        return self.store.identity

    @property
    def lease_seconds(self) -> float | None:
        """The seconds that leases of runs last, unless a run or its session says otherwise."""
        return self.store.lease_seconds

    @lease_seconds.setter
    def lease_seconds(self, seconds: float | None) -> None:
        self.store.lease_seconds = seconds

    def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        """Make `changes` in the logs of `session`, all of them or none, in one step."""
        return run(self.store.commit, session, changes, key=key)

    def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        oldest: bool = False,
    ) -> Records:
        """The newest `limit` records with after < position < before, oldest first."""
        return run(self.store.read, log, after=after, before=before, limit=limit, oldest=oldest)

    def logs(self, session: str) -> list[Head]:
        """The heads of all logs of `session`, by name; none if it doesn't exist."""
        return run(self.store.logs, session)

    def sessions(
        self,
        *,
        prefix: str = "",
        after: Cursor | None = None,
        limit: int = 50,
        oldest: bool = False,
    ) -> list[Head]:
        """The heads of the main logs, most recently changed first; `after` is the last one's."""
        return run(self.store.sessions, prefix=prefix, after=after, limit=limit, oldest=oldest)

    def delete(self, session: str, *, expect: int | None = None) -> None:
        """Delete `session` with all its logs and keys. Deleting nothing is fine."""
        run(self.store.delete, session, expect=expect)

    def append(
        self,
        log: Log,
        payloads: Sequence[bytes],
        *,
        expect: int | None = None,
        key: Key | None = None,
    ) -> int:
        """Commit one `Append`. Returns the position at which the log ends afterwards."""
        return run(self.store.append, log, payloads, expect=expect, key=key)

    def remove(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        expect: int | None = None,
    ) -> int:
        """Commit one `Remove`. Returns the position at which the log ends afterwards."""
        return run(self.store.remove, log, after=after, before=before, expect=expect)

    def annotate(self, log: Log, note: bytes, *, expect: bytes | None = None) -> None:
        """Commit one `Annotate`."""
        run(self.store.annotate, log, note, expect=expect)

    def close(self) -> None:
        """Finish the calls in progress and close the store. Closing twice is fine."""
        run(self.store.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_store(url: str | os.PathLike[str], **defaults: str | float) -> BlockingStore:
    """The store that `url` names, with methods that wait; see `turnlog.open_store`."""
    return BlockingStore(open_async_store(url, **defaults))
