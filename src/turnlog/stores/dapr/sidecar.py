"""One state store component behind a sidecar: documents with keys and etags."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

from dapr.clients.exceptions import DaprGrpcError, DaprInternalError
from dapr.clients.grpc._state import Concurrency, Consistency, StateItem, StateOptions

from turnlog.stores.dapr.clients import Calls

__all__ = [
    "DAPR_CONSISTENCY_EVENTUAL",
    "DAPR_CONSISTENCY_STRONG",
    "ConsistencyLevel",
    "Document",
    "Sidecar",
    "is_passing",
    "status",
]

T = TypeVar("T")

ConsistencyLevel: TypeAlias = Literal["eventual", "strong"]

DAPR_CONSISTENCY_EVENTUAL: Final = "eventual"
DAPR_CONSISTENCY_STRONG: Final = "strong"

#: How many documents one request asks for.
_AT_ONCE = 64
#: How many requests for one purpose are under way at once.
_ABREAST = 8
#: Seconds between tries to read, about as long as a sidecar takes to come back.
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


_MEGABYTE = 1 << 20


class Document(NamedTuple):
    """A document as stored."""

    data: bytes
    etag: str


class Sidecar:
    """Documents of one component.

    store_name: the component.
    consistency: what the component is asked for.
    ttl: seconds that documents are kept that may go first; sealed documents are kept for
        twice as long, so that nothing that can be seen points at nothing. None: for ever.
    """

    def __init__(
        self, calls: Calls, store_name: str, consistency: ConsistencyLevel, ttl: int | None
    ) -> None:
        self.calls = calls
        self.store_name = store_name
        self.consistency = consistency
        self.ttl = ttl
        level = Consistency[consistency]
        self._any = StateOptions(level)
        self._first = StateOptions(level, Concurrency.first_write)

    async def find(self, *keys: str) -> dict[str, Document]:
        """Those of the documents that exist. Tried again while the sidecar is away."""
        parts = [keys[n : n + _AT_ONCE] for n in range(0, len(keys), _AT_ONCE)]
        found: dict[str, Document] = {}
        for start in range(0, len(parts), _ABREAST):
            tries = (_patiently(partial(self._found, part)) for part in parts[start:][:_ABREAST])
            for part in await asyncio.gather(*tries):
                found.update(part)
        return found

    async def ask(self, key: str) -> None:
        """Ask for a document once, and raise what keeps it from being answered."""
        await self._found([key])

    async def save(self, documents: Mapping[str, bytes]) -> None:
        """Write documents that nobody else writes; they outlive what points at them."""
        items = [self._item(key, data, self._any, 2) for key, data in documents.items()]
        for part in _parts(items):
            await _patiently(partial(self._call, "save_bulk_state", states=part))

    async def swap(self, key: str, data: bytes, etag: str | None, *, lives: int = 1) -> None:
        """Write one document if it still has this etag; None: if there is none.

        lives: how often the ttl it is kept.
        Raises the client's error, from which it is not always clear whether it is written.
        """
        item = self._item(key, data, self._first, lives, etag)
        await self._call("save_bulk_state", states=[item])

    async def drop(self, keys: Sequence[str]) -> None:
        """Delete documents."""
        for start in range(0, len(keys), _ABREAST):
            await asyncio.gather(*map(self.delete, keys[start : start + _ABREAST]))

    async def delete(self, key: str, etag: str | None = None) -> None:
        """Delete one document; with an etag, if it still has it."""
        options = self._any if etag is None else self._first
        await self._call("delete_state", key=key, etag=etag, options=options)

    async def _found(self, keys: Sequence[str]) -> dict[str, Document]:
        try:
            answer = await self._call(
                "get_bulk_state",
                keys=keys,
                parallelism=_ABREAST,
                states_metadata={"consistency": self.consistency},
            )
        except DaprGrpcError as error:
            if status(error) != "RESOURCE_EXHAUSTED" or len(keys) == 1:
                raise
            # More than fits into one message of gRPC: half of it may.
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
        lives: int,
        etag: str | None = None,
    ) -> StateItem:
        kept = {} if self.ttl is None else {"ttlInSeconds": str(lives * self.ttl)}
        # The client hands these on to gRPC as they are.
        proto = options.get_proto()  # type: ignore[no-untyped-call]  # the client has it so
        return StateItem(key, data, etag, proto, kept)


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """What `call` answers, which may be made more than once, while the sidecar is away."""
    for pause in _PAUSES:
        try:
            return await call()
        except DaprGrpcError as error:
            if not is_passing(error):
                raise
        await asyncio.sleep(pause)
    return await call()


def status(error: DaprGrpcError) -> str:
    """What the sidecar, or gRPC in its place, answered: the name of a status code of gRPC."""
    name: str = error.code().name  # type: ignore[no-untyped-call]  # the client has it so
    return name


def is_passing(error: DaprGrpcError) -> bool:
    """Whether the sidecar may be there again soon."""
    return status(error) in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}


def _parts(items: list[StateItem]) -> list[list[StateItem]]:
    """`items` in requests of about a megabyte; gRPC takes four."""
    parts: list[list[StateItem]] = []
    size = _MEGABYTE
    for item in items:
        if size + len(item.value) > _MEGABYTE:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += len(item.value)
    return parts
