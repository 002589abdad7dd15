"""The clients that a store talks through, and on which loop."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Protocol, TypeAlias

from turnlog.loops.clients import Held, Shared
from turnlog.loops.forks import check_process
from turnlog.stores.addresses import host_of
from turnlog.stores.dapr.turns import Turns

try:
    from dapr.aio.clients import DaprClient as AsyncDaprClient
    from dapr.clients import DaprClient
    from dapr.clients.health import DaprHealth
    from dapr.conf.helpers import GrpcEndpoint
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] not in {"dapr", "grpc"}:
        raise
    raise ImportError("Dapr needs its client: pip install 'turnlog[dapr]'", name="dapr") from error

__all__ = ["AnyClient", "Calls", "Connected", "at_address", "calls_by"]

#: Either of the clients that the `dapr` package has.
AnyClient: TypeAlias = DaprClient | AsyncDaprClient

#: A call would hang: gRPC, by which the client talks, has threads that no child inherits.
_CURE = (
    "gRPC does not work on in the child. Fork before the first use, or start the child by "
    'other means, such as multiprocessing.get_context("spawn")'
)


class Calls(Protocol):
    """A way to a sidecar."""

    #: Whether the client belongs to the caller, who closes it.
    is_given: bool

    @property
    def place(self) -> Hashable:
        """Equal for two that lead to the same sidecar, as far as their addresses tell."""
        ...

    async def call(self, verb: str, **arguments: Any) -> Any:
        """What the client's method of this name answers."""
        ...

    async def aclose(self) -> None:
        """Let go of the client."""
        ...

    def let_go(self) -> None:
        """The same, without waiting."""
        ...


class _Given:
    """A client that belongs to the caller, who closes it.

    One for asyncio belongs to an event loop: the one that runs as it is handed in, else the
    first that uses it. From other loops it is called there.
    """

    is_given = True

    def __init__(self, client: AnyClient) -> None:
        self._client = client
        self._home = _running_loop()

    @property
    def place(self) -> Hashable:
        # What the client was given, or found in the environment, it tells in no public way.
        endpoint = getattr(self._client, "_uri", None)
        return _place_of(endpoint) if isinstance(endpoint, GrpcEndpoint) else self._client

    async def call(self, verb: str, **arguments: Any) -> Any:
        check_process(self._client, _CURE)
        method = getattr(self._client, verb)
        if not inspect.iscoroutinefunction(method):
            return await asyncio.to_thread(method, **arguments)
        here = asyncio.get_running_loop()
        if self._home is None or self._home.is_closed():
            self._home = here
        if self._home is here:
            return await method(**arguments)
        there = asyncio.run_coroutine_threadsafe(method(**arguments), self._home)
        return await asyncio.wrap_future(there)

    async def aclose(self) -> None:
        """Nothing: the client is the caller's."""

    def let_go(self) -> None:
        """Nothing: the client is the caller's."""


class Connected:
    """Clients for one address, one for each event loop, shared with all who use it."""

    is_given = False

    def __init__(self, address: str) -> None:
        self._address = address
        self._held: Held[str, AsyncDaprClient] = _clients.held(address)
        self._met: weakref.WeakSet[AbstractEventLoop] = weakref.WeakSet()
        self._turns = Turns()

    @property
    def place(self) -> Hashable:
        return _place_of(GrpcEndpoint(self._address))

    async def call(self, verb: str, **arguments: Any) -> Any:
        check_process(_clients, _CURE)
        if asyncio.get_running_loop() not in self._met:
            await self._meet()
        method: Callable[..., Awaitable[Any]] = getattr(self._held.here(), verb)
        return await method(**arguments)

    async def _meet(self) -> None:
        """Wait for the sidecar. The client does so while it is made, which halts the loop."""
        async with self._turns.of("meeting"):
            if asyncio.get_running_loop() not in self._met:
                await asyncio.to_thread(DaprHealth.wait_for_sidecar)
                self._met.add(asyncio.get_running_loop())

    async def aclose(self) -> None:
        await self._held.aclose()

    def let_go(self) -> None:
        self._held.let_go()


def at_address(address: str) -> Connected:
    """Clients for the sidecar at this address, shared by all who give the same."""
    return Connected(address)


def calls_by(client: AnyClient | Connected) -> Calls:
    """Calls by way of `client`, which stays the caller's."""
    return client if isinstance(client, Connected) else _Given(client)


def _place_of(endpoint: GrpcEndpoint) -> Hashable:
    return endpoint.scheme, host_of(endpoint.hostname), endpoint.port


def _made(address: str) -> AsyncDaprClient:
    return AsyncDaprClient(address=address)


def _running_loop() -> AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _closed(client: AsyncDaprClient) -> None:
    await client.close()  # type: ignore[no-untyped-call]  # the client has it so


_clients: Shared[str, AsyncDaprClient] = Shared(_made, _closed)
