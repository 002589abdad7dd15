"""Reading: what a store holds, opened, and read again where a key seems to be missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from turnlog.errors import Unreadable

__all__ = ["Open", "read_and_opened"]

T = TypeVar("T")


class Open(Protocol[T]):
    """Opens what was read; `Opener.records` says what `is_final` means."""

    def __call__(self, found: T, /, *, is_final: bool) -> Awaitable[T]: ...


async def read_and_opened(read: Callable[[], Awaitable[T]], opened: Open[T]) -> T:
    """What `read` finds, opened.

    It is read again if a key is missing: the conversation may have been deleted between the look
    at its records and the look at its keys. The key is missing if the records are still the same.
    """
    found = await read()
    is_final = False
    while True:
        try:
            return await opened(found, is_final=is_final)
        except Unreadable:
            if is_final:
                raise
            before, found = found, await read()
            is_final = before == found
