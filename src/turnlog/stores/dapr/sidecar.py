"""Sidecar: the documents of one state store component, with keys and etags."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

from dapr.clients.exceptions import DaprGrpcError, DaprInternalError
from dapr.clients.grpc._state import Concurrency, Consistency, StateItem, StateOptions

from turnlog.stores.dapr.clients import Calls
from turnlog.stores.retrying import backoff, retry

__all__ = [
    "DAPR_CONSISTENCY_EVENTUAL",
    "DAPR_CONSISTENCY_STRONG",
    "PATIENCE",
    "ConsistencyLevel",
    "Document",
    "Sidecar",
    "is_transient",
    "outage",
    "status",
]

T = TypeVar("T")

ConsistencyLevel: TypeAlias = Literal["eventual", "strong"]

DAPR_CONSISTENCY_EVENTUAL: Final = "eventual"
DAPR_CONSISTENCY_STRONG: Final = "strong"

#: How many documents one request asks for.
_AT_ONCE = 64
#: How many requests of one call are under way at once.
_PARALLEL = 8
#: Seconds for which calls are retried by default: about as long as a sidecar takes to restart.
PATIENCE = 4.0
#: The first delay between retries, and the longest.
_DELAYS = 0.05, 1.6

_MEGABYTE = 1 << 20

#: An attribute of the error with which reads were given up: the sidecar stayed out of reach.
_GIVEN_UP = "turnlog_has_given_up"


class Document(NamedTuple):
    """A document as stored."""

    data: bytes
    etag: str


class Sidecar:
    """Documents of one component.

    store_name: the name of the component.
    consistency: the consistency that the component is asked for.
    ttl: seconds that a document is kept after it was written; None: for ever. Sealed documents
        are kept for twice as long, so that they outlive every head that refers to them.
    """

    def __init__(
        self,
        calls: Calls,
        store_name: str,
        consistency: ConsistencyLevel,
        ttl: int | None,
        patience: float = PATIENCE,
    ) -> None:
        self._patience = patience
        self.calls = calls
        self.store_name = store_name
        self.consistency = consistency
        self.ttl = ttl
        level = Consistency[consistency]
        self._any = StateOptions(level)
        self._first = StateOptions(level, Concurrency.first_write)

    async def find(self, *keys: str) -> dict[str, Document]:
        """Read documents; those that exist. Retried while the sidecar can't be reached."""
        parts = [keys[n : n + _AT_ONCE] for n in range(0, len(keys), _AT_ONCE)]
        found: dict[str, Document] = {}
        for start in range(0, len(parts), _PARALLEL):
            for part in await asyncio.gather(*map(self._read, parts[start:][:_PARALLEL])):
                found.update(part)
        return found

    async def ask(self, key: str) -> None:
        """Read a document once, without a retry, to raise the error if that fails."""
        await self._found([key])

    async def save(self, documents: Mapping[str, bytes]) -> None:
        """Write documents that no one else writes, to be kept as long as sealed ones."""
        items = [self._item(key, data, self._any, ttl_factor=2) for key, data in documents.items()]
        for part in _parts(items):
            save = partial(self._call, "save_bulk_state", states=part)
            await self._retried(save)

    async def swap(self, key: str, data: bytes, etag: str | None) -> None:
        """Write one document if it still has this etag; None: if it doesn't exist.

        Raises the client's error, which doesn't always tell whether the document was written.
        """
        item = self._item(key, data, self._first, etag)
        await self._call("save_bulk_state", states=[item])

    async def replace(self, key: str, read: Document, data: bytes) -> None:
        """Write one document unless it has changed since it was `read`."""
        try:
            await self.swap(key, data, read.etag)
        except DaprGrpcError:
            if (await self.find(key)).get(key) == read:
                raise

    async def drop(self, keys: Sequence[str]) -> None:
        """Delete documents."""
        for start in range(0, len(keys), _PARALLEL):
            await asyncio.gather(*map(self.delete, keys[start : start + _PARALLEL]))

    async def delete(self, key: str, etag: str | None = None) -> None:
        """Delete one document; with an etag, if it still has it."""
        options = self._any if etag is None else self._first
        await self._call("delete_state", key=key, etag=etag, options=options)

    async def _read(self, keys: Sequence[str]) -> dict[str, Document]:
        try:
            return await self._retried(partial(self._found, keys))
        except DaprGrpcError as error:
            if is_transient(error):
                setattr(error, _GIVEN_UP, True)
            raise

    async def _retried(self, call: Callable[[], Awaitable[T]]) -> T:
        return await retry(call, backoff(*_DELAYS, self._patience), is_transient)

    async def _found(self, keys: Sequence[str]) -> dict[str, Document]:
        try:
            answer = await self._call(
                "get_bulk_state",
                keys=keys,
                parallelism=_PARALLEL,
                states_metadata={"consistency": self.consistency},
            )
        except DaprGrpcError as error:
            if status(error) != "RESOURCE_EXHAUSTED" or len(keys) == 1:
                raise
            # The answer is too large for one message of gRPC; half of it may fit.
            half = len(keys) // 2
            return {**await self._found(keys[:half]), **await self._found(keys[half:])}
        for item in answer.items:
            if item.error:
                raise DaprInternalError(item.error)
        return {item.key: Document(item.data, item.etag) for item in answer.items if item.data}

    async def _call(self, verb: str, **arguments: Any) -> Any:
        return await self.calls.call(verb, store_name=self.store_name, **arguments)

    def _item(
        self,
        key: str,
        data: bytes,
        options: StateOptions,
        etag: str | None = None,
        *,
        ttl_factor: int = 1,
    ) -> StateItem:
        kept = {} if self.ttl is None else {"ttlInSeconds": str(ttl_factor * self.ttl)}
        # The client passes these to gRPC unchanged.
        proto = options.get_proto()  # type: ignore[no-untyped-call]  # the client has it so
        return StateItem(key, data, etag, proto, kept)


def status(error: DaprGrpcError) -> str:
    """The name of the gRPC status code that the sidecar, or gRPC itself, returned."""
    name: str = error.code().name  # type: ignore[no-untyped-call]  # the client has it so
    return name


def is_transient(error: Exception) -> bool:
    """Whether the sidecar can't be reached, and so may be back soon."""
    transient = {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    return isinstance(error, DaprGrpcError) and status(error) in transient


def outage(error: Exception) -> Exception | None:
    """`error`, if reads were given up with it, or if the sidecar was never healthy."""
    is_outage = hasattr(error, _GIVEN_UP) or isinstance(error, TimeoutError)
    return error if is_outage else None


def _parts(items: list[StateItem]) -> list[list[StateItem]]:
    """Split `items` into requests of about a megabyte; gRPC allows four."""
    parts: list[list[StateItem]] = []
    size = _MEGABYTE
    for item in items:
        if size + len(item.value) > _MEGABYTE:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += len(item.value)
    return parts
