"""Memory store: no database, and the simplest implementation of the contract."""

from __future__ import annotations

import os
import threading
import weakref
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from turnlog.changes import (
    Annotate,
    Append,
    Change,
    Check,
    Committed,
    Forget,
    Key,
    Remove,
    Replace,
    check_changes,
    check_conditions,
    makes_session,
    writes,
)
from turnlog.errors import StoreClosed
from turnlog.records import Log, Record, Records
from turnlog.store import Cursor, Head, Store, check
from turnlog.stores.clock import now

__all__ = ["MemoryStore"]


class MemoryStore(Store):
    """Logs in the memory of this process, gone when it ends.

    Safe from any number of tasks, threads and event loops. After `os.fork`, parent
    and child each have a copy of their own.
    """

    def __init__(self) -> None:
        self._conversations: dict[str, _Conversation] = {}
        self._positions = count(1)  # for all logs, so that none is used again after deletion
        self._closed = False
        self._lock = threading.Lock()
        self._identity = object()  # an id() may be used again by a later store
        _stores.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @property
    def identity(self) -> Hashable:
        return "memory", self._identity

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        with self._open():
            found = self._conversations.get(session)
            if found and key and (known := found.recall(key)):
                return known
            conversation = found or _Conversation()
            check_conditions(
                session,
                changes,
                conversation.ends(),
                conversation.notes(),
                conversation.payloads,
            )
            if found is None and makes_session(changes, key):
                conversation.logs["main"] = _StoredLog.new(now() / 1e6)
                self._conversations[session] = conversation
            for change in changes:
                conversation.make(change, self._positions)
            done = Committed.at(changes, conversation.ends())
            if key and writes(changes):
                conversation.keys[key.name] = (key.digest, done)
            return done

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        oldest: bool = False,
    ) -> Records:
        check(*log, limit=limit)
        with self._open():
            conversation = self._conversations.get(log.session)
            stored = conversation.logs.get(log.name) if conversation else None
            return Records.of(stored.between(after, before, limit, oldest) if stored else [])

    async def logs(self, session: str) -> list[Head]:
        check(session)
        with self._open():
            conversation = self._conversations.get(session)
            logs = conversation.logs if conversation else {}
            return [logs[name].head(Log(session, name)) for name in sorted(logs)]

    async def sessions(
        self,
        *,
        prefix: str = "",
        after: Cursor | None = None,
        limit: int = 50,
        oldest: bool = False,
    ) -> list[Head]:
        check(prefix, limit=limit)
        with self._open():
            heads = [
                conversation.logs["main"].head(Log(session))
                for session, conversation in self._conversations.items()
                if session.startswith(prefix)
            ]
        heads.sort(key=lambda head: head.cursor, reverse=not oldest)
        if after is not None:
            heads = [h for h in heads if (h.cursor > after if oldest else h.cursor < after)]
        return heads[:limit]

    async def delete(self, session: str, *, expect: int | None = None) -> None:
        check(session)
        with self._open():
            found = self._conversations.get(session)
            if expect is not None:
                ends = found.ends() if found else {}
                check_conditions(session, [Check("main", expect)], ends, {})
            self._conversations.pop(session, None)

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """The same as `aclose`, for callers without an event loop."""
        self._closed = True

    def _open(self) -> threading.Lock:
        if self._closed:
            raise StoreClosed(type(self).__name__)
        return self._lock


@dataclass
class _Conversation:
    """The logs of one session, and the keys of its commits with their results."""

    logs: dict[str, _StoredLog] = field(default_factory=dict)
    keys: dict[str, tuple[bytes, Committed]] = field(default_factory=dict)

    def recall(self, key: Key) -> Committed | None:
        """The result of the commit with this key; None if there was none."""
        if key.name not in self.keys:
            return None
        digest, done = self.keys[key.name]
        key.check_digest(digest)
        return done._replace(replayed=True)

    def ends(self) -> dict[str, int]:
        return {name: stored.last for name, stored in self.logs.items()}

    def notes(self) -> dict[str, bytes]:
        return {name: stored.note for name, stored in self.logs.items()}

    def payloads(self, change: Replace) -> list[bytes | None]:
        """The payloads of the records that `change` is to replace; None where no record is."""
        stored = self.logs.get(change.log)
        return [stored.payload_at(at) if stored else None for at in change.positions]

    def make(self, change: Change, positions: Iterator[int]) -> None:
        """Make one change, whose condition holds."""
        match change:
            case Append(name, payloads, _, cut, times):
                if cut is not None:
                    self._remove(name, cut, None)
                if payloads:
                    self._touch(name).add(payloads, times, positions)
            case Remove(name, after, before):
                self._remove(name, after, before)
            case Annotate(name, note):
                self._touch(name).note = note
            case Replace(name, at, payloads):
                for position, payload in zip(at, payloads, strict=True):
                    self.logs[name].replace(position, payload)
            case Forget("main"):
                self._empty_main()
            case Forget(name):
                self.logs.pop(name, None)

    def _empty_main(self) -> None:
        stored = self.logs.get("main")
        if stored and (stored.records or stored.note):
            main = self._touch("main")
            main.records, main.note = [], b""

    def _remove(self, name: str, after: int, before: int | None) -> None:
        stored = self.logs.get(name)
        if stored and (span := stored.span(after, before)):
            del self._touch(name).records[span.start : span.stop]

    def _touch(self, name: str) -> _StoredLog:
        """The log, created if it is missing, and marked as changed now."""
        at = now() / 1e6
        stored = self.logs.setdefault(name, _StoredLog.new(at))
        stored.updated_at = at
        return stored


@dataclass
class _StoredLog:
    """The contents of one log."""

    created_at: float
    updated_at: float
    records: list[Record] = field(default_factory=list)
    note: bytes = b""

    @classmethod
    def new(cls, at: float) -> _StoredLog:
        return cls(at, at)

    @property
    def last(self) -> int:
        return self.records[-1].position if self.records else 0

    def add(
        self,
        payloads: Sequence[bytes],
        times: Sequence[float | None] | None,
        positions: Iterator[int],
    ) -> None:
        given = times or [None] * len(payloads)
        for payload, moment in zip(payloads, given, strict=True):
            at = self.updated_at if moment is None else moment
            self.records.append(Record(next(positions), payload, at))

    def payload_at(self, position: int) -> bytes | None:
        """The payload of the record at `position`; None if there is none."""
        found = self.span(position - 1, position + 1)
        return self.records[found.start].payload if found else None

    def replace(self, position: int, payload: bytes) -> None:
        """Give the record at `position`, which exists, another payload."""
        at = self.span(position - 1, position + 1).start
        self.records[at] = self.records[at]._replace(payload=payload)

    def span(self, after: int, before: int | None) -> range:
        """The indexes of the records with after < position < before."""
        start = bisect_right(self.records, after, key=_position)
        if before is None:
            return range(start, len(self.records))
        return range(start, bisect_left(self.records, before, key=_position))

    def between(
        self, after: int, before: int | None, limit: int | None, oldest: bool
    ) -> list[Record]:
        span = self.span(after, before)
        if limit is not None:
            span = span[:limit] if oldest else span[max(0, len(span) - limit) :]
        return self.records[span.start : span.stop]

    def head(self, log: Log) -> Head:
        return Head(log, self.last, len(self.records), self.created_at, self.updated_at, self.note)


def _position(record: Record) -> int:
    return record.position


def _unlock_in_child() -> None:
    """Replace all locks: a thread of the parent may have held one, and it doesn't run here."""
    for store in _stores:
        store._lock = threading.Lock()  # noqa: SLF001 - the module's own stores


_stores: weakref.WeakSet[MemoryStore] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_in_child)
