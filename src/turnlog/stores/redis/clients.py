"""Clients: one that was handed in, or one for each event loop, made from a URL."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import redis
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import SentinelConnectionPool

from turnlog.items.given import given
from turnlog.loops.clients import Share, SharedClients
from turnlog.loops.forks import check_process
from turnlog.stores.addresses import host_of

__all__ = ["Client", "Clients", "at_url"]

Client: TypeAlias = Redis | RedisCluster

#: The port of Redis, if none is given.
_PORT = 6379

_CURE = "make a client in the child process, or use from_url, which makes one by itself"


class Clients:
    """Provides the client to use: here, the one that was handed in.

    Raises `TypeError` for a blocking client.
    """

    def __init__(self, client: Client) -> None:
        _check_client(client)
        self._client = client

    @property
    def is_cluster(self) -> bool:
        """Whether keys are spread over nodes."""
        return isinstance(self._client, RedisCluster)

    @property
    def identity(self) -> Hashable:
        """The address. Equal for two that reach the same database, if their addresses are."""
        return _identity_of(self._client)

    @property
    def address(self) -> str:
        """The address for the text of an error; never user and password."""
        return _text_of(self.identity)

    def here(self) -> Client:
        """The client for the running event loop.

        Raises `RuntimeError` in a forked child for a client that the parent has used.
        """
        check_process(self._client, _CURE)
        return self._client

    def release(self) -> None:
        """Release clients that were made here; one that was handed in stays open."""

    async def aclose(self) -> None:
        """Release them, and wait until they are closed."""


def at_url(url: str, options: Mapping[str, Any]) -> Clients:
    """Clients for `url`, shared by all stores with the same URL and options."""
    return _PerLoop(_Address(url, {**options}))


@dataclass(frozen=True)
class _Address:
    """A URL and options, for which clients are shared."""

    url: str = field(repr=False)  # it may hold a password
    options: Mapping[str, Any] = field(hash=False, repr=False)

    @property
    def is_cluster(self) -> bool:
        return self.url.startswith(("redis+cluster://", "rediss+cluster://"))

    @property
    def identity(self) -> Hashable:
        given = {**self.options, **parse_url(self.url.replace("+cluster", "", 1))}
        if self.is_cluster:
            return frozenset({_server(given)})
        return _database(given)


class _PerLoop(Clients):
    def __init__(self, address: _Address) -> None:
        self._address = address
        self._share: Share[_Address, Client] = _shared.share(address)

    @property
    def is_cluster(self) -> bool:
        return self._address.is_cluster

    @property
    def identity(self) -> Hashable:
        return self._address.identity

    def here(self) -> Client:
        return self._share.here()

    def release(self) -> None:
        self._share.release()

    async def aclose(self) -> None:
        await self._share.aclose()


def _check_client(client: object) -> None:
    """Refuse what is no client, and one that blocks.

    That one would store a write before its answer fails to be awaited.
    """
    if isinstance(client, type) or not callable(getattr(client, "execute_command", None)):
        cure = "make one with redis.asyncio.Redis.from_url(url)"
        if isinstance(client, str):
            cure = "for a URL, write RedisSession.from_url(session_id, url)"
        raise TypeError(f"the client must be one of redis.asyncio, not {given(client)}: {cure}")
    if isinstance(client, redis.Redis | redis.RedisCluster):
        raise TypeError(
            f"this {type(client).__name__} blocks: hand in a client of redis.asyncio, "
            "or use from_url"
        )


def _identity_of(client: Client) -> Hashable:
    """The address of a client that was handed in."""
    if isinstance(client, RedisCluster):
        return frozenset((host_of(node.host), node.port) for node in client.startup_nodes)
    pool = client.connection_pool
    if not pool.connection_class.__module__.startswith("redis."):
        return pool  # of a test double or an extension, whose address may mean nothing
    if not isinstance(pool, SentinelConnectionPool):
        return _database(pool.connection_kwargs)
    watchers = (watcher.connection_pool for watcher in pool.sentinel_manager.sentinels)
    servers = frozenset(_server(watcher.connection_kwargs) for watcher in watchers)
    return servers, pool.service_name, pool.connection_kwargs.get("db", 0)


def _text_of(identity: Hashable) -> str:
    match identity:
        case frozenset():
            return ", ".join(sorted(map(_text_of, identity)))
        case ((str() | tuple()) as server, int() as number):
            return (
                f"{server}:{number}" if isinstance(server, str) else f"{_text_of(server)}/{number}"
            )
        case (frozenset() as watchers, str() as name, *_):
            return f"{name} (Sentinels {_text_of(watchers)})"
    return "the address of its client"


def _database(options: Mapping[str, Any]) -> Hashable:
    return _server(options), options.get("db", 0)


def _server(options: Mapping[str, Any]) -> tuple[str, int]:
    """The host and port that a client was given, or the path of a socket and 0."""
    if options.get("path"):
        return str(options["path"]), 0
    return host_of(options.get("host") or ""), int(options.get("port") or _PORT)


def _made(address: _Address) -> Client:
    if address.is_cluster:
        return RedisCluster.from_url(address.url.replace("+cluster", "", 1), **address.options)
    return Redis.from_url(address.url, **address.options)


async def _close(client: Client) -> None:
    await client.aclose()


_shared: SharedClients[_Address, Client] = SharedClients(_made, _close)
