"""Clients: one that was handed in, or one made from a URL, for each event loop."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import redis
from redis.asyncio import Redis, RedisCluster

from turnlog.loops import Held, Shared, check_process

__all__ = ["Client", "Clients", "at_url"]

Client: TypeAlias = Redis | RedisCluster

_CURE = "make a client in the child process, or use from_url, which does so by itself"


class Clients:
    """Hands out the client to use.

    Raises `TypeError` for a client that blocks.
    """

    def __init__(self, client: Client) -> None:
        if isinstance(client, redis.Redis | redis.RedisCluster):
            # Its calls do what they are asked, but nobody could wait for their answers.
            raise TypeError(
                f"this {type(client).__name__} blocks: hand in a client of redis.asyncio, or use "
                "from_url"
            )
        self._client = client

    @property
    def is_cluster(self) -> bool:
        """Whether keys are spread over nodes."""
        return isinstance(self._client, RedisCluster)

    @property
    def place(self) -> Hashable:
        """Equal for two that reach the same server."""
        return self._client

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


class _PerLoop(Clients):
    def __init__(self, address: _Address) -> None:
        self._address = address
        self._held: Held[_Address, Client] = _shared.held(address)

    @property
    def is_cluster(self) -> bool:
        return self._address.is_cluster

    @property
    def place(self) -> Hashable:
        return self._address

    def here(self) -> Client:
        return self._held.here()

    def let_go(self) -> None:
        self._held.let_go()

    async def aclose(self) -> None:
        await self._held.aclose()


def _made(address: _Address) -> Client:
    if address.is_cluster:
        return RedisCluster.from_url(address.url.replace("+cluster", "", 1), **address.options)
    return Redis.from_url(address.url, **address.options)


async def _close(client: Client) -> None:
    await client.aclose()


_shared: Shared[_Address, Client] = Shared(_made, _close)
