"""Directory: the list of sessions, in sorted sets by the time of the last change.

On one server the scripts update it, in the same step as the log. On a Cluster it lies on
other nodes: there an id is added before the first write and its time updated after each
write. So a crash in between leaves at worst an old time, never a session that isn't listed.
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

#: The number of ids that are remembered as listed.
_KNOWN = 10_000
#: Seconds after which an id without a session is removed; before, it may be about to get one.
_GRACE = 60.0
#: The most entries of a shard that are read at once.
_CHUNK = 1000

_DROP = """
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) == tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
"""


class Directory:
    """The list of the sessions below one prefix.

    command: runs a command and returns the answer in bytes.
    ttl: seconds after its last write that a session expires; None: never.
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
        """Add a session before its first write. On a Cluster only, as all but `page`."""
        if not self._clients.is_cluster or log.name != "main" or log.session in self._known:
            return
        await self._touch(log.session)
        await self._purge(self._keys.directory(log.session))
        self._known[log.session] = None
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    async def update(self, log: Log, updated: int) -> None:
        """Note the time of a change; 0 means that nothing was changed."""
        if self._clients.is_cluster and log.name == "main" and updated:
            key = self._keys.directory(log.session)
            await self._command("ZADD", key, str(updated), log.session)

    async def score(self, session: str) -> str | None:
        """The time of a session's entry, for `forget`."""
        if not self._clients.is_cluster:
            return None
        score = await self._command("ZSCORE", self._keys.directory(session), session)
        return None if score is None else f"{float(score):.0f}"

    async def forget(self, session: str, score: str | None) -> None:
        """Remove the entry of a session that was deleted, unless it was written again.

        score: the time of the entry before the deletion.
        """
        if not self._clients.is_cluster:
            return
        self._known.pop(session, None)
        if score is not None:
            await self._drop(session, score)
        # Another process may have added the id before and written the session just now.
        if await self._command("EXISTS", self._keys.heads(session)):
            await self._touch(session)

    async def _touch(self, session: str) -> None:
        """Add an entry, or update its time, so that it isn't taken for expired."""
        now = str(time.time_ns() // 1000)
        await self._command("ZADD", self._keys.directory(session), "GT", now, session)

    async def _purge(self, key: str) -> None:
        """Remove up to two expired sessions of a shard; a single request if there are none."""
        if self._ttl is None:
            return
        past = (time.time() - max(self._ttl, _GRACE)) * 1e6
        oldest = ("-inf", f"({past:.0f}", "WITHSCORES", "LIMIT", "0", "2")
        for entry in _entries(await self._command("ZRANGEBYSCORE", key, *oldest)):
            if not await self._command("EXISTS", self._keys.heads(entry.session)):
                await self._drop_entry(entry)

    async def _drop_entry(self, entry: Cursor) -> None:
        await self._drop(entry.session, str(round(entry.updated_at * 1e6)))

    async def _drop(self, session: str, score: str) -> None:
        """Remove an entry, unless its time was updated since it was read."""
        await self._command("EVAL", _DROP, 1, self._keys.directory(session), session, score)

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
        """The head of a session, if it still exists; if not, its entry is removed."""
        head = await head_of(entry.session)
        if head is not None:
            return [head]
        if entry.updated_at < time.time() - _GRACE:
            await self._drop_entry(entry)
        return []

    async def _newest_first(self, after: Cursor | None, chunk: int) -> AsyncGenerator[Cursor, None]:
        """All entries after `after`, merged from the shards chunk by chunk."""
        start = after
        while True:
            shards = await asyncio.gather(
                *(self._entries_after(start, key, chunk) for key in self._keys.shards())
            )
            # After the end of a full chunk its shard may have more that was not read yet.
            ends = [shard[-1] for shard in shards if len(shard) >= chunk]
            start = max(ends, default=None)
            for entry in sorted(chain.from_iterable(shards), reverse=True):
                if start is None or entry >= start:
                    yield entry
            if start is None:
                return

    async def _entries_after(self, start: Cursor | None, key: str, chunk: int) -> list[Cursor]:
        """The newest entries of one shard after `start`: `chunk` of them, or all."""
        newest = "+inf" if start is None else str(round(start.updated_at * 1_000_000))
        count = chunk
        while True:
            count += 16
            found = _entries(
                await self._command(
                    *("ZREVRANGEBYSCORE", key, newest, "-inf"),
                    *("WITHSCORES", "LIMIT", "0", str(count)),
                )
            )
            # Several sessions may have the same time; their ids order them.
            entries = [entry for entry in found if start is None or entry < start]
            if len(entries) >= chunk or len(found) < count:
                return entries
            count *= 2


def _entries(answer: list[Any]) -> list[Cursor]:
    """The entries in an answer with scores, of either version of the protocol."""
    flat = list(chain.from_iterable(answer)) if answer and isinstance(answer[0], list) else answer
    return [
        Cursor(float(score) / 1_000_000, member.decode())
        for member, score in zip(flat[::2], flat[1::2], strict=True)
    ]
