"""Key providers: who wraps the data keys of conversations, such as a key ring, a KMS or Vault."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

__all__ = ["KeyProvider", "NamesKeys", "WrongKey"]


class WrongKey(Exception):
    """A provider can't unwrap a data key. Its text says why, names no secret, and the cure."""


class KeyProvider(Protocol):
    """Wraps and unwraps the data keys of conversations.

    Both are called seldom: once for a conversation and process, as long as its data key is
    remembered.
    """

    async def wrap(self, session: str, key: bytes) -> bytes:
        """The 32 bytes `key`, encrypted for `session`."""

    async def unwrap(self, session: str, wrapped: bytes) -> bytes:
        """The key that `wrap` was given. Raises `WrongKey` if it can't be unwrapped for good.

        Other errors, such as a KMS that can't be reached, pass through to the caller.
        """


@runtime_checkable
class NamesKeys(Protocol):
    """A provider that knows by which of its keys a data key is wrapped, for counting and rotation.

    primary: the id of the key that wraps new data keys.
    """

    @property
    def primary(self) -> str: ...

    def key_id(self, wrapped: bytes) -> str:
        """The id of the key that has wrapped `wrapped`; "" if it can't be read."""
