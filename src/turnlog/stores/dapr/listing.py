"""Listing: pages of sessions by time of change, from the directory and the roots it leads to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import takewhile

from dapr.clients.exceptions import DaprGrpcError

from turnlog.errors import Unreadable
from turnlog.loops.finishing import finished
from turnlog.records import Log
from turnlog.store import Cursor, Head
from turnlog.stores.clock import micros, now
from turnlog.stores.dapr.directory import (
    SLACK,
    Directory,
    Listed,
    Scanned,
    Shard,
    entries,
    from_time,
    id_of,
    with_prefix,
)
from turnlog.stores.dapr.keys import SHARDS
from turnlog.stores.dapr.root import LogHead, Root
from turnlog.stores.dapr.sealed import Range
from turnlog.stores.dapr.sessionfile import SessionFile
from turnlog.stores.dapr.sidecar import status
from turnlog.stores.dapr.tree import Gone

__all__ = ["Listing", "head_of"]

_logger = logging.getLogger(__name__)

#: With a prefix of at most this many sessions, all of them are read; else the newest, or the
#: oldest, until enough have the prefix.
_RARE = 1024
#: How many keys are first asked of each shard, at least and at most for all shards together.
#: Each further round asks for twice as many.
_FIRST = 16
_MOST = 4096
#: Microseconds after which an entry that no root names is removed.
_UNUSED = 3_600_000_000
#: How many older sessions are moved at once.
_AT_ONCE = 16


def head_of(log: Log, head: LogHead) -> Head:
    """The head of a log, as the contract has it."""
    times = head.created / 1e6, head.updated / 1e6
    return Head(log, head.last, head.length, *times, head.note)


class Listing:
    """Makes one page.

    file: gives the documents of a session.
    """

    def __init__(self, directory: Directory, file: Callable[[str], SessionFile]) -> None:
        self._directory = directory
        self._file = file
        #: The roots of the sessions that were looked at.
        self._roots: dict[str, Root] = {}
        #: Keys in the directory that no root names, and their sessions.
        self._unused: dict[str, str] = {}

    async def page(
        self, prefix: str, after: Cursor | None, limit: int, *, oldest: bool
    ) -> list[Head]:
        """The heads that `Store.sessions` returns."""
        while True:
            shards = await self._shards()
            try:
                page = await self._page(shards, prefix, _Order(after, oldest), limit)
            except Gone:
                await self._check_changed(shards)
                continue
            await self._tidy()
            return page

    async def _page(
        self, shards: list[Shard], prefix: str, order: _Order, limit: int
    ) -> list[Head]:
        if prefix and await self._is_rare(shards, prefix):
            await self._look_at_all(shards, prefix)
            return order.sorted(self._roots)[:limit]
        scan = _Scan(self._directory, shards, order, max(_FIRST, 5 * min(limit, _MOST) // SHARDS))
        while True:
            await self._look_at([each for each in await scan.more() if each.has(prefix)])
            heads = order.sorted(self._roots)
            if scan.is_done or len(list(takewhile(scan.is_sure, heads[:limit]))) == limit:
                return heads[:limit]

    async def _is_rare(self, shards: list[Shard], prefix: str) -> bool:
        inside = with_prefix(prefix)
        count = self._directory.count
        counts = (count(number, shard, inside) for number, shard in enumerate(shards))
        return sum(await asyncio.gather(*counts)) <= _RARE

    async def _look_at_all(self, shards: list[Shard], prefix: str) -> None:
        scan = partial(self._directory.scan, inside=with_prefix(prefix), limit=_MOST, last=False)
        found = await asyncio.gather(*(scan(n, shard) for n, shard in enumerate(shards)))
        ids = {id_of(key) for keys in found for key in keys.keys}
        await self._load([each for each in ids if each.startswith(prefix)])

    async def _look_at(self, listed: Sequence[Listed]) -> None:
        await self._load(list({each.session for each in listed}))
        horizon = now() - _UNUSED
        for each in listed:
            root = self._roots[each.session]
            if root.entry != each.entry and each.time < horizon:
                unused = {each.time_key, each.id_key} - entries(each.session, root)
                self._unused |= dict.fromkeys(unused, each.session)

    async def _load(self, sessions: Sequence[str]) -> None:
        """Read the roots of sessions that were not looked at yet."""
        files = [self._file(each) for each in sessions if each not in self._roots]
        found = await self._directory.sidecar.find(*(file.key for file in files))
        self._roots |= {file.session: file.seen(found).root for file in files}

    async def _shards(self) -> list[Shard]:
        """All parts of the directory, after what older versions listed is moved into them."""
        while True:
            shards = await self._directory.shards()
            older = [number for number, shard in enumerate(shards) if shard.older is not None]
            if not older:
                return shards
            for number in older:
                await finished(self._move(shards, number))

    async def _move(self, shards: list[Shard], number: int) -> None:
        """Move the sessions that an older version has listed in one shard."""
        body = shards[number].older or []
        try:
            ids = await self._directory.ids_in_older(number, body)
        except Gone:
            await self._check_changed(shards)
            return
        for start in range(0, len(ids), _AT_ONCE):
            files = map(self._file, ids[start : start + _AT_ONCE])
            await asyncio.gather(*(file.current() for file in files))
        await self._directory.forget_older(number, body)

    async def _check_changed(self, shards: list[Shard]) -> None:
        """Documents are deleted only after the shard that refers to them has changed."""
        if await self._directory.shards() == shards:
            problem = "a document of the directory of sessions is missing"
            raise Unreadable(Log("~sessions"), 0, problem)

    async def _tidy(self) -> None:
        """Remove the entries of sessions that have expired."""
        try:
            await finished(self._directory.forget(self._unused))
        except DaprGrpcError as error:
            _logger.warning("entries that are not in use any more were left: %s", status(error))


class _Order:
    """The order of a page, and its beginning."""

    def __init__(self, after: Cursor | None, oldest: bool) -> None:
        self.oldest = oldest
        self._after = after
        self.inside = Range("t", "u")
        if after is not None:
            time = micros(after.updated_at)
            # An entry may be older than the last change of its session, but not newer.
            self.inside = (
                Range(from_time(time - SLACK), "u") if oldest else Range("t", from_time(time + 1))
            )

    def sorted(self, roots: Mapping[str, Root]) -> list[Head]:
        """The heads behind the beginning."""
        heads = [
            head_of(Log(session), root.logs["main"])
            for session, root in roots.items()
            if root.exists
        ]
        inside = [head for head in heads if self._after is None or self._holds(head, self._after)]
        return sorted(inside, key=lambda head: head.cursor, reverse=not self.oldest)

    def _holds(self, head: Head, after: Cursor) -> bool:
        return head.cursor > after if self.oldest else head.cursor < after


class _Scan:
    """Reads the entries of all shards in the order of their times, some more in each round."""

    def __init__(
        self, directory: Directory, shards: Sequence[Shard], order: _Order, count: int
    ) -> None:
        self._directory = directory
        self._shards = shards
        self._oldest = order.oldest
        self._count = count
        #: What is left of each shard.
        self._left = dict.fromkeys(range(len(shards)), order.inside)
        #: All entries up to this time were read.
        self._horizon = 0

    @property
    def is_done(self) -> bool:
        """Whether all entries were read."""
        return not self._left

    def is_sure(self, head: Head) -> bool:
        """Whether no session that was not read yet can come before this one."""
        changed = micros(head.updated_at)
        if self._oldest:
            return changed < self._horizon
        return changed > self._horizon + SLACK

    async def more(self) -> list[Listed]:
        """Read the next entries."""
        numbers = list(self._left)
        found = await asyncio.gather(*map(self._next, numbers))
        self._count *= 2
        self._left = {
            number: self._rest(self._left[number], keys.edge)
            for number, keys in zip(numbers, found, strict=True)
            if keys.edge is not None
        }
        times = [Listed.of(keys.edge).time for keys in found if keys.edge is not None]
        if times:
            self._horizon = min(times) if self._oldest else max(times)
        return [Listed.of(key) for keys in found for key in keys.keys]

    async def _next(self, number: int) -> Scanned:
        inside, shard = self._left[number], self._shards[number]
        return await self._directory.scan(number, shard, inside, self._count, last=not self._oldest)

    def _rest(self, inside: Range, edge: str) -> Range:
        return Range(f"{edge}\0", inside.stop) if self._oldest else Range(inside.start, edge)
