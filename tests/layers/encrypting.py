"""Encrypting: what the tests of the encrypted layer share."""

from turnlog.layers.encryption.provider import WrongKey
from turnlog.records import Log
from turnlog.store import Layer, Store

__all__ = ["Marked", "Unclosed", "raw", "raw_payloads"]


class Marked:
    """A provider that marks keys instead of wrapping them. It counts what it does."""

    def __init__(self, mark: bytes = b"marked:") -> None:
        self.mark = mark
        self.wrapped = 0
        self.unwrapped = 0

    async def wrap(self, session: str, key: bytes) -> bytes:
        self.wrapped += 1
        return self.mark + session.encode() + _masked(key)

    async def unwrap(self, session: str, wrapped: bytes) -> bytes:
        self.unwrapped += 1
        start = self.mark + session.encode()
        if not wrapped.startswith(start):
            raise WrongKey("it was wrapped by another key")
        return _masked(wrapped.removeprefix(start))


def _masked(key: bytes) -> bytes:
    """So that the key itself is not in its wrapped form."""
    return bytes(each ^ 0x55 for each in key)


class Unclosed(Layer):
    """Another handle on a store, which closing leaves open."""

    async def aclose(self) -> None:
        pass


async def raw_payloads(store: Store, log: Log) -> list[bytes]:
    """The payloads as they are stored."""
    return list((await store.read(log)).payloads)


async def raw(store: Store, session: str) -> object:
    """All that is stored of a session."""
    return [(head, list(await store.read(head.log))) for head in await store.logs(session)]
