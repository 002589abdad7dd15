"""Directory: the list of sessions, by the time of the last change and by their ids.

On one server the scripts update it, in the same step as the logs. On a Cluster it lies on
other nodes: there an id is added before the first write and its time updated after each
write. So a crash in between leaves at worst an old time, never a session that isn't listed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

from turnlog.records import Log
from turnlog.store import Cursor, Head, prefix_end
from turnlog.stores.clock import micros
from turnlog.stores.redis import scripts
from turnlog.stores.redis.heads import head_in
from turnlog.stores.redis.keys import Keys
from turnlog.stores.redis.server import Server, pairs

__all__ = ["Directory", "Found"]

#: The number of ids that are remembered as listed.
_KNOWN = 10_000
#: Milliseconds within which an id that was announced gets its session.
_GRACE = "60000"
#: The most entries that one script reads.
_CHUNK = 1000


class Found(NamedTuple):
    """An entry of the directory."""

    time: int
    session: str
    head: Head | None

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.time / 1_000_000, self.session)


class Directory:
    """The list of the sessions below one prefix.

    ttl: seconds after its last write that a session expires; None: never.
    """

    def __init__(self, keys: Keys, server: Server, ttl: int | None) -> None:
        self._keys = keys
        self._server = server
        self._ttl = "" if ttl is None else str(ttl * 1000)
        self._known: OrderedDict[str, None] = OrderedDict()

    async def announce(self, session: str) -> None:
        """Add a session before its first write.

        This and `update`, `entry` and `forget` do nothing but on a Cluster.
        """
        if not self._server.is_cluster or session in self._known:
            return
        await self._enter("NX", session, "", _GRACE)
        self._known[session] = None
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    async def update(self, session: str, updated: int) -> None:
        """Store the time of a change of the log "main"; 0: it was not changed."""
        if self._server.is_cluster and updated:
            await self._enter("GT", session, str(updated), self._ttl)

    async def entry(self, session: str) -> tuple[str, str] | None:
        """The entry of a session, for `forget`: its time and its end; None if it needs none."""
        if not self._server.is_cluster:
            return None
        shard = self._keys.shard(session)
        time, end = await asyncio.gather(
            self._server.command("ZSCORE", shard, session),
            self._server.command("ZSCORE", shard.removesuffix("times") + "ends", session),
        )
        return _score(time), _score(end)

    async def forget(self, session: str, entry: tuple[str, str] | None) -> None:
        """Remove the entry of a session that was deleted, unless it was written again.

        entry: what `entry` returned before the deletion.
        """
        if entry is None:
            return
        self._known.pop(session, None)
        await self._server.run(scripts.DROP, [self._keys.shard(session)], session, *entry)
        # Another process may have added the id before and written the session just now.
        if await self._server.command("EXISTS", self._keys.logs(session)):
            await self._enter("GT", session, "", _GRACE)

    async def page(self, prefix: str, after: Cursor | None, limit: int, oldest: bool) -> list[Head]:
        """The heads of at most `limit` sessions, most recently changed first, or last."""
        await self._move_older()
        heads: list[Head] = []
        while len(heads) < limit:
            wanted = min(limit - len(heads), _CHUNK)
            page = await self._entries(prefix, after, wanted, oldest)
            heads += await self._heads_of(page)
            if len(page) < wanted:
                break
            after = page[-1].cursor
        return sorted(heads, key=lambda head: head.cursor, reverse=not oldest)

    async def _enter(self, rule: str, *entries: str) -> None:
        """Enter sessions of one shard: the id, the time and the time to live of each."""
        shard = self._keys.shard(entries[0])
        for member in await self._server.run(scripts.ENTER, [shard], rule, *entries):
            await self._look_at(member.decode())

    async def _look_at(self, session: str) -> None:
        """Store the time to live of a session that may have expired."""
        left = await self._server.run(scripts.LIFE, self._session_keys(session))
        await self._server.run(scripts.MARK, [self._keys.shard(session)], session, str(left))

    async def _entries(
        self, prefix: str, after: Cursor | None, limit: int, oldest: bool
    ) -> list[Found]:
        """The first `limit` entries after a cursor, of all shards."""
        cursor = ("", "") if after is None else (str(micros(after.updated_at)), after.session)
        root = "" if self._server.is_cluster else self._keys.prefix
        bounds = (prefix, prefix_end(prefix) or "", *cursor)
        asked = (*bounds, str(limit), "1" if oldest else "0", root)
        shards = await asyncio.gather(
            *(self._server.run(scripts.PAGE, [shard], *asked) for shard in self._keys.shards())
        )
        found = sorted(_found(shards), key=lambda entry: entry[:2], reverse=not oldest)
        return found[:limit]

    async def _heads_of(self, page: list[Found]) -> list[Head]:
        if self._server.is_cluster:
            heads = await asyncio.gather(*(self._verified(entry.session) for entry in page))
        else:
            heads = [entry.head for entry in page]
        return [head for head in heads if head is not None]

    async def _verified(self, session: str) -> Head | None:
        """The head of a session, if it still exists; if not, its entry is removed."""
        logs = self._keys.logs(session)
        packed, note = await self._server.command("HMGET", logs, "hmain", "nmain")
        if packed is None:
            fields = await self.fields(session)
            packed, note = fields.get(b"hmain"), fields.get(b"nmain")
        if packed is not None:
            return head_in(Log(session), packed, note)
        await self._look_at(session)
        return None

    async def fields(self, session: str) -> dict[bytes, bytes]:
        """The fields of the hash that holds the heads and notes of a session."""
        # One key alone can also be read while a Cluster has moved only some of the session.
        stored = await self._server.command("HGETALL", self._keys.logs(session))
        if not stored:
            stored = await self._server.run(scripts.HEADS, self._session_keys(session))
        return pairs(stored)

    def _session_keys(self, session: str) -> list[str]:
        return [self._keys.logs(session), self._keys.heads(session)]

    async def _move_older(self) -> None:
        """Move the entries that an older version has made into the present list."""
        older = self._keys.older_shards()
        if self._server.is_cluster:
            counts = await asyncio.gather(*(self._server.command("EXISTS", key) for key in older))
        else:
            counts = [await self._server.command("EXISTS", *older)] * len(older)
        for key, count in zip(older, counts, strict=True):
            if count:
                await self._move_all(key)

    async def _move_all(self, older: str) -> None:
        scored = ("-inf", "+inf", "WITHSCORES", "LIMIT", "0", str(_CHUNK))
        while entries := await self._server.command("ZRANGEBYSCORE", older, *scored):
            moved = _members(entries)
            shard = self._keys.shard(moved[0][0])  # of all: an older list has those of one
            given = chain.from_iterable((session, time, "0") for session, time in moved)
            await self._server.run(scripts.ENTER, [shard], "GT", *given)
            await self._server.run(scripts.TAKEN, [older], *chain.from_iterable(moved))


def _members(answer: list[Any]) -> list[tuple[str, str]]:
    """Ids and times in an answer with scores, of either version of the protocol."""
    flat = list(chain.from_iterable(answer)) if isinstance(answer[0], list) else answer
    return [
        (member.decode(), _score(score))
        for member, score in zip(flat[::2], flat[1::2], strict=True)
    ]


def _score(score: Any) -> str:
    return "" if score is None else f"{float(score):.0f}"


def _found(shards: Iterable[list[list[bytes]]]) -> Iterable[Found]:
    for time, member, *packed in chain.from_iterable(shards):
        session = member.decode()
        head = head_in(Log(session), *packed) if packed[0] else None
        yield Found(int(time), session, head)
