"""Encrypting: what the tests of the encrypted layer share."""

from turnlog.layers.encryption.provider import WrongKey
from turnlog.store import Layer

__all__ = ["Marked", "Unclosed"]


class Marked:
    """A provider that marks keys instead of wrapping them. It counts what it does."""

    def __init__(self, mark: bytes = b"marked:") -> None:
        self.mark = mark
        self.wrapped = 0
        self.unwrapped = 0

    async def wrap(self, session: str, key: bytes) -> bytes:
        self.wrapped += 1
        return self.mark + session.encode() + key

    async def unwrap(self, session: str, wrapped: bytes) -> bytes:
        self.unwrapped += 1
        start = self.mark + session.encode()
        if not wrapped.startswith(start):
            raise WrongKey("it was wrapped by another key")
        return wrapped.removeprefix(start)


class Unclosed(Layer):
    """Another handle on a store, which closing leaves open."""

    async def aclose(self) -> None:
        pass
