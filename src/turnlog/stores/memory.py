"""Memory store: no database, and the simplest implementation of the contract."""

from __future__ import annotations

import os
import threading
import weakref
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from turnlog.errors import Conflict, StoreClosed
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
        self._logs: dict[str, dict[str, _Lines]] = {}
        self._positions = count(1)  # for all logs, so that none is used again after deletion
        self._closed = False
        self._lock = threading.Lock()
        _stores.add(self)

    async def append(
        self,
        log: Log,
        payloads: Sequence[bytes],
        *,
        expect: int | None = None,
        key: str | None = None,
    ) -> int:
        check(*log, key or "", payloads=payloads)
        with self._open():
            lines = self._find(log)
            if key is not None and key in lines.keys:
                return lines.keys[key]
            lines.check_end(log, expect)
            if not payloads:
                return lines.last
            lines = self._touch(log)
            at = lines.updated_at
            lines.records += [Record(next(self._positions), bytes(p), at) for p in payloads]
            if key is not None:
                lines.keys[key] = lines.last
            return lines.last

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
    ) -> Records:
        check(*log, limit=limit)
        with self._open():
            lines = self._find(log)
            span = lines.span(after, before)
            start = span.start if limit is None else max(span.start, span.stop - limit)
            return Records.of(lines.records[start : span.stop])

    async def remove(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        expect: int | None = None,
    ) -> int:
        check(*log)
        with self._open():
            lines = self._find(log)
            lines.check_end(log, expect)
            span = lines.span(after, before)
            if span:
                del self._touch(log).records[span.start : span.stop]
            return len(span)

    async def annotate(self, log: Log, note: bytes) -> None:
        check(*log, payloads=[note])
        with self._open():
            self._touch(log).note = note

    async def logs(self, session: str) -> list[Head]:
        check(session)
        with self._open():
            logs = self._logs.get(session, {})
            return [logs[name].head(Log(session, name)) for name in sorted(logs)]

    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        check(prefix, limit=limit)
        with self._open():
            heads = [
                logs["main"].head(Log(session))
                for session, logs in self._logs.items()
                if "main" in logs and session.startswith(prefix)
            ]
        heads.sort(key=lambda head: head.cursor, reverse=True)
        return [head for head in heads if after is None or head.cursor < after][:limit]

    async def delete(self, session: str, name: str | None = None) -> None:
        check(session, name or "")
        with self._open():
            if name is None:
                self._logs.pop(session, None)
            else:
                self._logs.get(session, {}).pop(name, None)

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """The same as `aclose`, for callers without an event loop."""
        self._closed = True

    def _open(self) -> threading.Lock:
        if self._closed:
            raise StoreClosed(type(self).__name__)
        return self._lock

    def _find(self, log: Log) -> _Lines:
        return self._logs.get(log.session, {}).get(log.name) or _Lines()

    def _touch(self, log: Log) -> _Lines:
        """The log, created if it is missing, and marked as changed now."""
        at = now() / 1e6
        logs = self._logs.setdefault(log.session, {})
        lines = logs.setdefault(log.name, _Lines(created_at=at))
        lines.updated_at = at
        return lines


@dataclass
class _Lines:
    """The contents of one log."""

    records: list[Record] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    created_at: float = 0.0
    updated_at: float = 0.0
    note: bytes = b""

    @property
    def last(self) -> int:
        return self.records[-1].position if self.records else 0

    def check_end(self, log: Log, expect: int | None) -> None:
        if expect is not None and expect != self.last:
            raise Conflict(log, expect, self.last)

    def span(self, after: int, before: int | None) -> range:
        """The indexes of the records with after < position < before."""
        start = bisect_right(self.records, after, key=_position)
        if before is None:
            return range(start, len(self.records))
        return range(start, bisect_left(self.records, before, key=_position))

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
