"""Clients of a sidecar, for each event loop."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Protocol, TypeAlias

from turnlog.items.given import given
from turnlog.loops.arrival import in_order_of_arrival
from turnlog.loops.clients import Share, SharedClients
from turnlog.loops.forks import check_process
from turnlog.stores.addresses import host_of

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

#: Either client of the `dapr` package.
AnyClient: TypeAlias = DaprClient | AsyncDaprClient

#: A call would hang: gRPC has threads, and a forked child doesn't inherit threads.
_CURE = (
    "gRPC stops working in a forked child. Fork before the first use, or start the child with "
    'multiprocessing.get_context("spawn")'
)


class Calls(Protocol):
    """Makes calls to one sidecar."""

    #: Whether the client belongs to the caller, who closes it.
    is_given: bool

    @property
    def identity(self) -> Hashable:
        """The address. Equal for two that reach the same sidecar, if their addresses are."""
        ...

    @property
    def address(self) -> str:
        """The address for the text of an error."""
        ...

    async def call(self, verb: str, **arguments: Any) -> Any:
        """Call the client's method of this name."""
        ...

    async def aclose(self) -> None:
        """Release the client."""
        ...

    def release(self) -> None:
        """Release the client without waiting."""
        ...


class _Given:
    """A client that was handed in; the caller closes it.

    A client for asyncio belongs to one event loop: the one that runs when it is handed in,
    else the first one that uses it. Calls from other loops are passed to that loop.
    """

    is_given = True

    def __init__(self, client: AnyClient) -> None:
        self._client = client
        self._home = _running_loop()

    @property
    def identity(self) -> Hashable:
        # No public attribute holds the address, which may come from the environment.
        endpoint = getattr(self._client, "_uri", None)
        return _address_of(endpoint) if isinstance(endpoint, GrpcEndpoint) else self._client

    @property
    def address(self) -> str:
        endpoint = getattr(self._client, "_uri", None)
        return _text_of(endpoint) if isinstance(endpoint, GrpcEndpoint) else "its client's address"

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

    def release(self) -> None:
        """Nothing: the client is the caller's."""


class Connected:
    """Clients for one address, one for each event loop, shared by all stores that use it."""

    is_given = False

    def __init__(self, address: str) -> None:
        self._address = address
        self._share: Share[str, AsyncDaprClient] = _clients.share(address)
        self._healthy: weakref.WeakSet[AbstractEventLoop] = weakref.WeakSet()

    @property
    def identity(self) -> Hashable:
        return _address_of(GrpcEndpoint(self._address))

    @property
    def address(self) -> str:
        return _text_of(GrpcEndpoint(self._address))

    async def call(self, verb: str, **arguments: Any) -> Any:
        check_process(_clients, _CURE)
        if asyncio.get_running_loop() not in self._healthy:
            await self._wait_for_sidecar()
        method: Callable[..., Awaitable[Any]] = getattr(self._share.here(), verb)
        return await method(**arguments)

    async def _wait_for_sidecar(self) -> None:
        """Wait until the sidecar is healthy, in a thread: making a client would block the loop."""
        async with in_order_of_arrival(self):
            if asyncio.get_running_loop() not in self._healthy:
                await asyncio.to_thread(DaprHealth.wait_for_sidecar)
                self._healthy.add(asyncio.get_running_loop())

    async def aclose(self) -> None:
        await self._share.aclose()

    def release(self) -> None:
        self._share.release()


def at_address(address: str) -> Connected:
    """Clients for the sidecar at this address, shared by all stores with the same address."""
    _check_address(address)
    return Connected(address)


def calls_by(client: AnyClient | Connected) -> Calls:
    """Calls through `client`, which stays the caller's."""
    if isinstance(client, Connected):
        return client
    _check_client(client)
    return _Given(client)


def _check_address(address: object) -> None:
    if isinstance(address, str):
        return
    cure = 'write "localhost:50001"'
    if hasattr(address, "get_bulk_state"):
        cure = "give it as DaprSession(session_id, state_store_name, client)"
    raise TypeError(f"the address of a sidecar must be a str, not {given(address)}: {cure}")


def _check_client(client: object) -> None:
    if not isinstance(client, type) and callable(getattr(client, "get_bulk_state", None)):
        return
    cure = "make a DaprClient() of dapr.aio.clients"
    if isinstance(client, str):
        cure = (
            "for an address, write DaprSession.from_address(session_id, state_store_name=…, "
            "dapr_address=…)"
        )
    raise TypeError(f"dapr_client must be a DaprClient, not {given(client)}: {cure}")


def _address_of(endpoint: GrpcEndpoint) -> Hashable:
    return endpoint.scheme, host_of(endpoint.hostname), endpoint.port


def _text_of(endpoint: GrpcEndpoint) -> str:
    return f"{endpoint.hostname}:{endpoint.port}"


def _made(address: str) -> AsyncDaprClient:
    return AsyncDaprClient(address=address)


def _running_loop() -> AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _closed(client: AsyncDaprClient) -> None:
    await client.close()  # type: ignore[no-untyped-call]  # the client has it so


_clients: SharedClients[str, AsyncDaprClient] = SharedClients(_made, _closed)
