"""Redis store: the contract on Redis or Valkey."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from math import ceil
from typing import Any, Self

from turnlog.changes import Annotate, Change, Committed, Key, check_changes, makes_session
from turnlog.errors import Conflict, RecordChanged
from turnlog.loops.door import Door
from turnlog.loops.finishing import finished, heeded_cancellation
from turnlog.records import Log, Records
from turnlog.store import Cursor, Head, Store, check
from turnlog.stores.clock import check_ttl
from turnlog.stores.options import check_patience
from turnlog.stores.redis import scripts
from turnlog.stores.redis.arguments import (
    BEYOND,
    Argument,
    bounds,
    commit_arguments,
    known,
    positions_in,
)
from turnlog.stores.redis.clients import Client, Clients, at_url
from turnlog.stores.redis.directory import Directory
from turnlog.stores.redis.elements import records_in
from turnlog.stores.redis.heads import heads_in
from turnlog.stores.redis.keys import Keys
from turnlog.stores.redis.scripts import Script
from turnlog.stores.redis.server import Server
from turnlog.stores.redis.urls import read_url

__all__ = ["PATIENCE", "RedisStore"]

#: Seconds for which calls are retried, unless the store says otherwise.
PATIENCE = 10.0

#: The fewest seconds that the token of a write is remembered: longer than retries go on.
_REMEMBERED = 120
_DAY = 86_400
#: The longest ttl that Redis allows, in seconds.
_LONGEST = (2**63 - 1) // 1000 - 10**11


class RedisStore(Store):
    """Logs in Redis or Valkey, also in a Cluster.

    client: a `redis.asyncio.Redis`, one that a Sentinel made, or a `RedisCluster`. It stays
        yours and is never closed here. It belongs to the event loop that first used it.
    key_prefix: the beginning of every key; stores with other prefixes have other sessions.
    ttl: seconds after its last write that a session expires; None: never.
    patience: seconds for which calls are retried while the server can't be reached.

    A write happens once, however often the client sends it: each carries a token that the
    server remembers for two minutes, or for twice the `patience` if that is longer. An
    acknowledged write is as durable as the server's settings make it.

    Raises `ValueError` for a `ttl` that Redis doesn't allow, and `StoreUnreachable` when the
    `patience` is at its end.
    """

    def __init__(
        self,
        client: Client | Clients,
        *,
        key_prefix: str = "agents:session",
        ttl: int | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._clients = client if isinstance(client, Clients) else Clients(client)
        self._keys = Keys(key_prefix, self._clients.is_cluster)
        self._ttl = check_ttl(ttl, _LONGEST)
        self._server = Server(self._clients, check_patience(patience))
        self._remembered = str(ceil(min(max(_REMEMBERED, 2 * patience), _DAY)))
        self._door = Door(type(self).__name__)
        self._directory = Directory(self._keys, self._server, self._ttl)

    def __repr__(self) -> str:
        where, prefix = self._clients.address, self._keys.prefix
        return f"{type(self).__name__}({where!r}, key_prefix={prefix!r})"

    @property
    def identity(self) -> Hashable:
        """The server and database, or the start nodes of a Cluster, and the prefix."""
        return "redis", self._clients.identity, self._keys.prefix

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        key_prefix: str = "agents:session",
        ttl: int | None = None,
        patience: float = PATIENCE,
        **options: Any,
    ) -> Self:
        """A store on a client of its own, one for each event loop.

        Stores with the same URL and options share it; it is closed with the last of them.

        url: redis://, rediss:// (TLS), unix://, redis+cluster:// or rediss+cluster://. Its
            options override the other arguments, as docs/stores.md says.
        options: go to `redis.asyncio.Redis.from_url`, or `RedisCluster.from_url`.
        """
        address = read_url(url, key_prefix, ttl, patience)
        store = cls(
            at_url(address.url, options),
            key_prefix=address.key_prefix,
            ttl=address.ttl,
            patience=address.patience,
        )
        store.lease_seconds = address.lease_seconds
        return store

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        with self._door:
            return await finished(self._commit(session, changes, key))

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
        with self._door, heeded_cancellation():
            if limit == 0:
                return Records([], [], [])
            asked = (log, after, before, limit, oldest)
            found = await self._elements(*asked)
            if not found and await self._adopts(log):
                found = await self._elements(*asked)
        return records_in(found)

    async def logs(self, session: str) -> list[Head]:
        check(session)
        with self._door, heeded_cancellation():
            await self._adopts(Log(session))
            return heads_in(session, await self._directory.fields(session))

    async def sessions(
        self,
        *,
        prefix: str = "",
        after: Cursor | None = None,
        limit: int = 50,
        oldest: bool = False,
    ) -> list[Head]:
        check(prefix, limit=limit)
        with self._door, heeded_cancellation():
            return await self._directory.page(prefix, after, limit, oldest)

    async def delete(self, session: str, *, expect: int | None = None) -> None:
        check(session)
        with self._door:
            await finished(self._delete(session, expect))

    async def ping(self) -> bool:
        """Whether the server answers."""
        with self._door:
            return bool(await self._clients.here().ping())

    async def aclose(self) -> None:
        await self._door.close()
        await self._clients.aclose()

    def close(self) -> None:
        """Release the client without waiting."""
        self._door.is_closed = True
        self._clients.release()

    async def _commit(self, session: str, changes: Sequence[Change], key: Key | None) -> Committed:
        if makes_session(changes, key):
            await self._directory.announce(session)
        arguments = commit_arguments(changes, key)
        outcome, answer, *rest = await self._run(scripts.COMMIT, session, *arguments)
        if outcome == b"conflict":
            raise _conflict(session, changes[int(answer) - 1], *rest)
        if outcome == b"changed":
            position, is_gone = map(int, rest)
            raise RecordChanged(Log(session, changes[int(answer) - 1].log), position, bool(is_gone))
        if key is not None and outcome == b"known":
            return known(answer, key)
        await self._directory.update(session, int(*rest))
        return Committed(positions_in(answer))

    async def _delete(self, session: str, expect: int | None) -> None:
        entry = await self._directory.entry(session)
        expected = "" if expect is None else str(expect)
        outcome, *rest = await self._run(scripts.DELETE, session, expected)
        if expect is not None and outcome == b"conflict":
            raise Conflict(Log(session), expect, int(rest[0]))
        await self._directory.forget(session, entry)

    async def _adopts(self, log: Log) -> bool:
        """Adopt what the SDK has stored under this id; whether there was anything."""
        if self._server.is_cluster or log.name != "main":
            return False
        if not await self._server.command("EXISTS", self._keys.messages(log.session)):
            return False
        return bool(await finished(self._run(scripts.ADOPT, log.session)))

    async def _elements(
        self, log: Log, after: int, before: int | None, limit: int | None, oldest: bool
    ) -> list[bytes]:
        records = self._keys.records(log)
        limit = None if limit is None else min(limit, BEYOND)
        if after <= 0 and before is None:
            found = await self._server.command("LRANGE", records, *_indexes(limit, oldest))
        else:
            number = "-1" if limit is None else str(limit)
            asked = (*bounds(after, before), number, "1" if oldest else "0")
            found = await self._server.run(scripts.RANGE, [records], *asked)
        elements: list[bytes] = found
        return elements

    async def _run(self, script: Script, session: str, *arguments: Argument) -> Any:
        """Run a script that writes to a session."""
        keys = [self._keys.token(session, _token()), self._keys.logs(session)]
        if not self._server.is_cluster:
            keys.append(self._keys.shard(session))
        given = (session, str(self._ttl or 0), self._remembered)
        return await self._server.run(script, keys, *given, *arguments)


def _token() -> str:
    """A name for one write, unique also among threads, forked processes and restored snapshots."""
    return os.urandom(16).hex()


def _indexes(limit: int | None, oldest: bool) -> tuple[int, int]:
    """The first and the last index of the newest or oldest records of a list."""
    if limit is None:
        return 0, -1
    return (0, limit - 1) if oldest else (-limit, -1)


def _conflict(session: str, change: Change, actual: bytes) -> Conflict:
    """The conflict of a change whose condition fails. `actual` of a note begins with "="."""
    log = Log(session, change.log)
    if isinstance(change, Annotate):
        return Conflict(log, change.expect or b"", actual[1:])
    return Conflict(log, change.expect or 0, int(actual))
