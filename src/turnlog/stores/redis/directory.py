"""The list of sessions: sorted sets by the time of the last change.

On one server the scripts keep it, in the same step as the log. On a Cluster it lies on
other nodes: there an id is entered before its first write and its time moved after each,
so that a crash in between costs at worst a place in the order, never a session.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from itertools import chain
from typing import Any

from turnlog.records import Log
from turnlog.store import Cursor, Head
from turnlog.stores.redis.clients import Clients
from turnlog.stores.redis.keys import Keys

__all__ = ["Directory"]

#: How many ids are remembered as entered.
_KNOWN = 10_000
#: An id without a session is dropped after so many seconds: it may be about to get one.
_GRACE = 60.0
#: How many entries of a shard are read at once, at most.
_CHUNK = 1000

_DROP = """
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) == tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
"""


class Directory:
    """Which sessions there are below one prefix.

    command: runs a command and returns the answer in bytes.
    ttl: seconds after its last write that a session has expired; None: never.
    """

    def __init__(
        self,
        keys: Keys,
        clients: Clients,
        command: Callable[..., Awaitable[Any]],
        ttl: int | None,
    ) -> None:
        self._ttl = ttl
        self._keys = keys
        self._clients = clients
        self._command = command
        self._known: OrderedDict[str, None] = OrderedDict()

    async def announce(self, log: Log) -> None:
        """Enter a session before it is first written to, where the scripts can't."""
        if not self._clients.is_cluster or log.name != "main" or log.session in self._known:
            return
        now = str(time.time_ns() // 1000)
        key = self._keys.directory(log.session)
        # Moved forward if it is there, so that nobody who looks right now takes it for expired.
        await self._command("ZADD", key, "GT", now, log.session)
        await self._purge(key)
        self._known[log.session] = None
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    async def update(self, log: Log, updated: int) -> None:
        """Note the time of a change, where the scripts can't. 0 means that there was none."""
        if self._clients.is_cluster and log.name == "main" and updated:
            key = self._keys.directory(log.session)
            await self._command("ZADD", key, str(updated), log.session)

    async def forget(self, session: str) -> None:
        """Drop a session that was deleted, where the scripts can't."""
        if self._clients.is_cluster:
            self._known.pop(session, None)
            await self._command("ZREM", self._keys.directory(session), session)

    async def _purge(self, key: str) -> None:
        """Drop up to two sessions of a shard that have expired, with one look if there are none.

        On a single server the scripts do so.
        """
        if self._ttl is None:
            return
        past = (time.time() - max(self._ttl, _GRACE)) * 1e6
        oldest = ("-inf", f"({past:.0f}", "WITHSCORES", "LIMIT", "0", "2")
        for entry in _entries(await self._command("ZRANGEBYSCORE", key, *oldest)):
            if not await self._command("EXISTS", self._keys.heads(entry.session)):
                await self._drop(entry)

    async def _drop(self, entry: Cursor) -> None:
        """Take an entry out, unless it was moved since it was found."""
        key, score = self._keys.directory(entry.session), str(round(entry.updated_at * 1e6))
        await self._command("EVAL", _DROP, 1, key, entry.session, score)

    async def page(
        self,
        prefix: str,
        after: Cursor | None,
        limit: int,
        head_of: Callable[[str], Awaitable[Head | None]],
    ) -> list[Head]:
        """The heads of at most `limit` sessions, most recently changed first."""
        heads: list[Head] = []
        entries = self._newest_first(after, min(limit, _CHUNK))
        async with aclosing(entries):
            while len(heads) < limit and (entry := await anext(entries, None)):
                if entry.session.startswith(prefix):
                    heads += await self._verified(entry, head_of)
        return sorted(heads, key=lambda head: head.cursor, reverse=True)

    async def _verified(
        self, entry: Cursor, head_of: Callable[[str], Awaitable[Head | None]]
    ) -> list[Head]:
        """The head of a session, if there is one: its time may have come."""
        head = await head_of(entry.session)
        if head is not None:
            return [head]
        if entry.updated_at < time.time() - _GRACE:
            await self._drop(entry)
        return []

    async def _newest_first(self, after: Cursor | None, chunk: int) -> AsyncGenerator[Cursor, None]:
        """All entries behind `after`, merged from the shards chunk by chunk."""
        place = after
        while True:
            shards = await asyncio.gather(
                *(self._behind(place, key, chunk) for key in self._keys.shards())
            )
            # Behind the end of a full chunk its shard may have more that was not fetched.
            ends = [shard[-1] for shard in shards if len(shard) >= chunk]
            place = max(ends, default=None)
            for entry in sorted(chain.from_iterable(shards), reverse=True):
                if place is None or entry >= place:
                    yield entry
            if place is None:
                return

    async def _behind(self, place: Cursor | None, key: str, chunk: int) -> list[Cursor]:
        """The newest entries of one shard behind `place`: `chunk` of them, or all."""
        newest = "+inf" if place is None else str(round(place.updated_at * 1_000_000))
        count = chunk
        while True:
            count += 16
            found = _entries(
                await self._command(
                    *("ZREVRANGEBYSCORE", key, newest, "-inf"),
                    *("WITHSCORES", "LIMIT", "0", str(count)),
                )
            )
            # Several sessions of one moment are told apart by their ids.
            entries = [entry for entry in found if place is None or entry < place]
            if len(entries) >= chunk or len(found) < count:
                return entries
            count *= 2


def _entries(answer: list[Any]) -> list[Cursor]:
    """Members and scores, as either version of the protocol answers them."""
    flat = list(chain.from_iterable(answer)) if answer and isinstance(answer[0], list) else answer
    return [
        Cursor(float(score) / 1_000_000, member.decode())
        for member, score in zip(flat[::2], flat[1::2], strict=True)
    ]
