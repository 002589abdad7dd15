"""Redis store: the contract on Redis or Valkey."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import ceil
from typing import Any, Self
from uuid import uuid4

from redis.asyncio import RedisCluster
from redis.client import NEVER_DECODE
from redis.exceptions import NoScriptError

from turnlog.errors import Conflict
from turnlog.loops.door import Door
from turnlog.loops.finishing import finished
from turnlog.records import Log, Records
from turnlog.store import Cursor, Head, Store, check, span
from turnlog.stores.clock import check_ttl
from turnlog.stores.redis import scripts
from turnlog.stores.redis.clients import Client, Clients, at_url
from turnlog.stores.redis.directory import Directory
from turnlog.stores.redis.elements import WIDTH, records_in
from turnlog.stores.redis.keys import Keys
from turnlog.stores.redis.retrying import closed_connections_named, is_passing
from turnlog.stores.redis.scripts import Script
from turnlog.stores.retrying import backoff, retry

__all__ = ["RedisStore"]

#: The fewest seconds that the token of a write is remembered: longer than retries go on.
_REMEMBERED = 120
_DAY = 86_400
_BEYOND = 2**53 - 1  # the greatest integer in a script
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

    Raises `ValueError` for a `ttl` that Redis doesn't allow.
    """

    def __init__(
        self,
        client: Client | Clients,
        *,
        key_prefix: str = "agents:session",
        ttl: int | None = None,
        patience: float = 10.0,
    ) -> None:
        self._clients = client if isinstance(client, Clients) else Clients(client)
        self._prefix = key_prefix
        self._keys = Keys(key_prefix)
        self._ttl = check_ttl(ttl, _LONGEST)
        self._patience = patience
        self._remembered = str(ceil(min(max(_REMEMBERED, 2 * patience), _DAY)))
        self._door = Door(type(self).__name__)
        self._directory = Directory(self._keys, self._clients, self._command, self._ttl)

    @property
    def identity(self) -> Hashable:
        """The server and database, or the start nodes of a Cluster, and the prefix."""
        return "redis", self._clients.identity, self._prefix

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        key_prefix: str = "agents:session",
        ttl: int | None = None,
        patience: float = 10.0,
        **options: Any,
    ) -> Self:
        """A store on a client of its own, one for each event loop.

        Stores with the same URL and options share it; it is closed with the last of them.

        url: redis://, rediss:// (TLS), unix://, redis+cluster:// or rediss+cluster://.
        options: go to `redis.asyncio.Redis.from_url`, or `RedisCluster.from_url`.
        """
        clients = at_url(url, options)
        return cls(clients, key_prefix=key_prefix, ttl=ttl, patience=patience)

    async def append(
        self,
        log: Log,
        payloads: Sequence[bytes],
        *,
        expect: int | None = None,
        key: str | None = None,
    ) -> int:
        check(*log, key or "", payloads=payloads)
        given = ("0", "") if key is None else ("1", key)
        return await self._write(scripts.APPEND, log, expect, *given, *payloads)

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
    ) -> Records:
        check(*log, limit=limit)
        with self._door:
            if limit == 0:
                return Records([], [], [])
            found = await self._elements(log, after, before, limit)
            if not found and await self._adopts(log):
                found = await self._elements(log, after, before, limit)
        return records_in(found)

    async def remove(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        expect: int | None = None,
    ) -> int:
        check(*log)
        bounds = _bounds(after, before)
        return await self._write(scripts.REMOVE, log, expect, *bounds)

    async def annotate(self, log: Log, note: bytes) -> None:
        check(*log, payloads=[note])
        with self._door:
            await finished(self._annotate(log, note))

    async def logs(self, session: str) -> list[Head]:
        check(session)
        with self._door:
            await self._adopts(Log(session))
            fields = await self._command("HGETALL", self._keys.heads(session))
            return _heads(session, _pairs(fields))

    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        check(prefix, limit=limit)
        with self._door:
            return await self._directory.page(prefix, after, limit, self._main_head)

    async def delete(self, session: str, name: str | None = None) -> None:
        check(session, name or "")
        script = scripts.DELETE_ALL if name is None else scripts.DELETE
        with self._door:
            await finished(self._delete(script, Log(session, "main" if name is None else name)))

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
        self._clients.let_go()

    async def _write(
        self, script: Script, log: Log, expect: int | None, *arguments: str | bytes
    ) -> int:
        with self._door:
            return await finished(self._change(script, log, expect, *arguments))

    async def _change(
        self, script: Script, log: Log, expect: int | None, *arguments: str | bytes
    ) -> int:
        """Run a script that returns a number, or in a conflict the last position."""
        await self._directory.announce(log)
        expected = "" if expect is None else str(expect)
        outcome, number, updated = await self._run(script, log, expected, *arguments)
        if expect is not None and outcome == b"conflict":
            raise Conflict(log, expect, int(number))
        await self._directory.update(log, int(updated))
        return int(number)

    async def _annotate(self, log: Log, note: bytes) -> None:
        await self._directory.announce(log)
        updated = await self._run(scripts.ANNOTATE, log, note)
        await self._directory.update(log, int(updated))

    async def _delete(self, script: Script, log: Log) -> None:
        if log.name != "main":
            await self._run(script, log)
            return
        score = await self._directory.score(log.session)
        await self._run(script, log)
        await self._directory.forget(log.session, score)

    async def _adopts(self, log: Log) -> bool:
        """Adopt what the SDK has stored under this id; whether there was anything."""
        if self._clients.is_cluster or log.name != "main":
            return False
        theirs = self._keys.adopted(log.session).messages
        if not await self._command("EXISTS", theirs):
            return False
        return bool(await finished(self._run(scripts.ADOPT, log)))

    async def _elements(
        self, log: Log, after: int, before: int | None, limit: int | None
    ) -> list[bytes]:
        limit = limit if limit is None else min(limit, _BEYOND)
        if after <= 0 and before is None:
            first = 0 if limit is None else -limit
            found = await self._command("LRANGE", self._keys.records(log), first, -1)
        else:
            bounds = (*_bounds(after, before), "-1" if limit is None else str(limit))
            found = await self._eval(scripts.RANGE, [self._keys.records(log)], *bounds)
        elements: list[bytes] = found
        return elements

    async def _main_head(self, session: str) -> Head | None:
        """The head of the main log; None if it was deleted or has expired."""
        fields = ("hmain", "nmain")
        packed, note = await self._command("HMGET", self._keys.heads(session), *fields)
        return None if packed is None else _head(Log(session), packed, note)

    async def _run(self, script: Script, log: Log, *arguments: str | bytes) -> Any:
        keys = self._keys.of(log, _token())
        if not self._clients.is_cluster:
            keys += [self._keys.directory(log.session), *self._keys.adopted(log.session)]
        ttl, stem = str(self._ttl or 0), self._keys.stem(log.session)
        given = (log.name, log.session, ttl, self._prefix, stem, self._remembered)
        return await self._eval(script, keys, *given, *arguments)

    async def _eval(self, script: Script, keys: list[str], *arguments: str | bytes) -> Any:
        given = (len(keys), *keys, *arguments)
        try:
            return await self._command("EVALSHA", script.digest, *given)
        except NoScriptError:
            return await self._command("EVAL", script.text, *given)

    async def _command(self, *words: str | bytes | float) -> Any:
        """Run a command, with retries. The answer is bytes, also from a client that decodes."""
        client = self._clients.here()

        async def call() -> Any:
            if isinstance(client, RedisCluster):
                # Once, before several commands at the same time each start to initialize it.
                await client.initialize()
            with closed_connections_named():
                return await client.execute_command(*words, **{NEVER_DECODE: True})

        return await retry(call, backoff(0.001, 0.3, self._patience), is_passing)


def _token() -> str:
    """A name for one write, unique also among threads, forked processes and restored snapshots."""
    return uuid4().hex


def _bounds(after: int, before: int | None) -> tuple[str, str]:
    """The first position inside and the first one after, in digits that compare as text."""
    first, stop = span(after, before, _BEYOND)
    return str(min(first + 1, _BEYOND)).zfill(WIDTH), str(stop).zfill(WIDTH)


def _pairs(fields: Any) -> dict[bytes, bytes]:
    """The hash in an answer of either version of the protocol."""
    if isinstance(fields, dict):
        return fields
    return dict(zip(fields[::2], fields[1::2], strict=True))


def _heads(session: str, fields: dict[bytes, bytes]) -> list[Head]:
    names = sorted(field[1:].decode() for field in fields if field.startswith(b"h"))
    return [
        _head(Log(session, name), fields[b"h" + name.encode()], fields.get(b"n" + name.encode()))
        for name in names
    ]


def _head(log: Log, packed: bytes, note: bytes | None) -> Head:
    created, updated, last, length, _greatest = map(int, packed.split())
    return Head(log, last, length, created / 1e6, updated / 1e6, note or b"")
