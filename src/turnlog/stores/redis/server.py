"""Commands and scripts, sent to the server with retries."""

from __future__ import annotations

from typing import Any

from redis.asyncio import RedisCluster
from redis.client import NEVER_DECODE
from redis.exceptions import NoScriptError

from turnlog.stores.outages import outages_named
from turnlog.stores.redis.arguments import Argument
from turnlog.stores.redis.clients import Clients
from turnlog.stores.redis.retrying import closed_connections_named, is_transient, outage
from turnlog.stores.redis.scripts import Script
from turnlog.stores.retrying import backoff, retry

__all__ = ["Server", "pairs"]


class Server:
    """One server, or a Cluster.

    patience: seconds for which calls are retried while it can't be reached.
    """

    def __init__(self, clients: Clients, patience: float) -> None:
        self._clients = clients
        self._patience = patience
        self.is_cluster = clients.is_cluster

    async def run(self, script: Script, keys: list[str], *arguments: Argument) -> Any:
        """Run a script. All keys are on one node."""
        given = (len(keys), *keys, *arguments)
        try:
            return await self.command("EVALSHA", script.digest, *given)
        except NoScriptError:
            return await self.command("EVAL", script.text, *given)

    async def command(self, *words: str | bytes | float) -> Any:
        """Run a command. The answer is bytes, also from a client that decodes."""
        client = self._clients.here()

        async def call() -> Any:
            if isinstance(client, RedisCluster):
                # Once, before several commands at the same time each start to initialize it.
                await client.initialize()
            with closed_connections_named():
                return await client.execute_command(*words, **{NEVER_DECODE: True})

        kind = "Redis Cluster" if self.is_cluster else "Redis"
        with outages_named(kind, lambda: self._clients.address, outage):
            return await retry(call, backoff(0.001, 0.3, self._patience), is_transient)


def pairs(answer: Any) -> dict[bytes, bytes]:
    """The hash in an answer of either version of the protocol."""
    if isinstance(answer, dict):
        return answer
    return dict(zip(answer[::2], answer[1::2], strict=True))
