"""Clients: one that was handed in, or one made from a URL, for each event loop."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import redis
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import SentinelConnectionPool

from turnlog.loops.clients import Held, Shared
from turnlog.loops.forks import check_process
from turnlog.stores.addresses import host_of

__all__ = ["Client", "Clients", "at_url"]

Client: TypeAlias = Redis | RedisCluster

#: Where Redis listens unless told.
_PORT = 6379

_CURE = "make a client in the child process, or use from_url, which does so by itself"


class Clients:
    """Hands out the client to use.

    Raises `TypeError` for a client that blocks.
    """

    def __init__(self, client: Client) -> None:
        _check_awaitable(client)
        self._client = client

    @property
    def is_cluster(self) -> bool:
        """Whether keys are spread over nodes."""
        return isinstance(self._client, RedisCluster)

    @property
    def place(self) -> Hashable:
        """Equal for two that reach the same database, as far as their addresses tell."""
        return _place_of(self._client)

    def here(self) -> Client:
        """The client for the running event loop.

        Raises `RuntimeError` in a forked child for one that the parent has used.
        """
        check_process(self._client, _CURE)
        return self._client

    def let_go(self) -> None:
        """Stop using what was made here; what was handed in stays open."""

    async def aclose(self) -> None:
        """The same, and wait for it."""


def at_url(url: str, options: Mapping[str, Any]) -> Clients:
    """Clients for `url`, shared by all who give the same URL and options."""
    return _PerLoop(_Address(url, {**options}))


@dataclass(frozen=True)
class _Address:
    """What makes two clients the same."""

    url: str = field(repr=False)  # it may hold a password
    options: Mapping[str, Any] = field(hash=False, repr=False)

    @property
    def is_cluster(self) -> bool:
        return self.url.startswith(("redis+cluster://", "rediss+cluster://"))

    @property
    def place(self) -> Hashable:
        given = {**self.options, **parse_url(self.url.replace("+cluster", "", 1))}
        if self.is_cluster:
            return frozenset({_server(given)})
        return _database(given)


class _PerLoop(Clients):
    def __init__(self, address: _Address) -> None:
        self._address = address
        self._held: Held[_Address, Client] = _shared.held(address)

    @property
    def is_cluster(self) -> bool:
        return self._address.is_cluster

    @property
    def place(self) -> Hashable:
        return self._address.place

    def here(self) -> Client:
        return self._held.here()

    def let_go(self) -> None:
        self._held.let_go()

    async def aclose(self) -> None:
        await self._held.aclose()


def _check_awaitable(client: object) -> None:
    """A client that blocks would store what it is given, and then its answer can't be awaited."""
    if isinstance(client, redis.Redis | redis.RedisCluster):
        raise TypeError(
            f"this {type(client).__name__} blocks: hand in a client of redis.asyncio, "
            "or use from_url"
        )


def _place_of(client: Client) -> Hashable:
    """Where a client leads that was handed in."""
    if isinstance(client, RedisCluster):
        return frozenset((host_of(node.host), node.port) for node in client.startup_nodes)
    pool = client.connection_pool
    if not pool.connection_class.__module__.startswith("redis."):
        return pool  # of a stand-in or an extension, whose address may mean nothing
    if not isinstance(pool, SentinelConnectionPool):
        return _database(pool.connection_kwargs)
    watchers = (watcher.connection_pool for watcher in pool.sentinel_manager.sentinels)
    servers = frozenset(_server(watcher.connection_kwargs) for watcher in watchers)
    return servers, pool.service_name, pool.connection_kwargs.get("db", 0)


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


_shared: Shared[_Address, Client] = Shared(_made, _close)
