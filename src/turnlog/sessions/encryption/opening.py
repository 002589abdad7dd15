"""Opening what a wrapped session holds: items, how many have expired, what can't be opened."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from turnlog.items.json import Item, decode_all, encode
from turnlog.layers.encryption.sdk_format import (
    NO_ITEM,
    EnvelopeKey,
    Opened,
    UnreadableEnvelope,
    WrongEnvelopeKey,
    was_wrong_key,
)

__all__ = ["Found", "Opener", "Read"]

_logger = logging.getLogger(__name__)

#: Reads the newest items of the wrapped session, as many as it is told.
Read = Callable[[int], Awaitable[list[Item]]]


class Found(NamedTuple):
    """Stored items, and what they hold."""

    stored: Sequence[Item]
    opened: list[Opened]
    #: The item of each; None where there is none.
    decoded: list[Item | None]

    def __repr__(self) -> str:
        return f"<{len(self.items)} of {len(self.stored)} items opened>"

    @property
    def items(self) -> list[Item]:
        """The items that could be opened and have not expired."""
        return [item for item in self.decoded if item is not None]

    @property
    def problem(self) -> str:
        """Why the newest one that is unreadable can't be opened; "" if none is."""
        return next((each.problem for each in reversed(self.opened) if each.problem), "")

    @property
    def expired(self) -> int:
        """How many have expired."""
        return sum(each.payload is None and not each.problem for each in self.opened)

    def unreadable(self) -> Iterator[tuple[Item, str]]:
        """Those that can't be opened, and why."""
        for stored, opened in zip(self.stored, self.opened, strict=True):
            if opened.problem:
                yield stored, opened.problem


class Opener:
    """Opens the items of one session with one key.

    unreadable: the SHA-256 digests of stored items that reads left out because they can't be
        opened. Each is logged once, without its contents.
    """

    def __init__(self, session_id: str, key: EnvelopeKey) -> None:
        self._session_id = session_id
        self._key = key
        self.unreadable: set[str] = set()

    def seal_all(self, payloads: Sequence[bytes]) -> list[Item]:
        """The envelopes of `payloads`, each the JSON of an item."""
        return self._key.seal_all(payloads)

    def open_all(self, stored: Sequence[Item], ttl: float | None) -> Found:
        """What the items `stored` hold."""
        opened = self._key.open_all(stored, ttl)
        payloads = [each.payload for each in opened if each.payload is not None]
        items = iter(decode_all(payloads))
        decoded = [None if each.payload is None else next(items) for each in opened]
        if len(payloads) == len(opened) and all(item is not None for item in decoded):
            return Found(stored, opened, decoded)
        pairs = zip(opened, decoded, strict=True)
        opened = [
            NO_ITEM if each.payload is not None and item is None else each for each, item in pairs
        ]
        return Found(stored, opened, decoded)

    def checked(self, found: Found) -> Found:
        """`found`, all that there is, or could be looked at.

        Raises `WrongEnvelopeKey` if the key opens none of it.
        """
        if was_wrong_key(found.opened):
            raise WrongEnvelopeKey(self._session_id)
        return self.reported(found)

    def reported(self, found: Found) -> Found:
        """`found`, after what can't be opened was logged."""
        if found.problem:
            for stored, problem in found.unreadable():
                self._report(sha256(encode(stored)).hexdigest(), problem)
        return found

    def _report(self, digest: str, problem: str) -> None:
        if digest not in self.unreadable:
            self.unreadable.add(digest)
            _logger.warning(
                "session %r: an item is left out, because %s", self._session_id, problem
            )

    async def refusal(self, opened: Opened, read: Read) -> UnreadableEnvelope:
        """The error for the newest item, which can't be opened.

        It reads on to find out whether the key opens others.
        """
        count, found = 1, Found([], [opened], [])
        while not any(each.is_authentic for each in found.opened):
            found = self.open_all(await read(count), None)
            if len(found.stored) < count:
                break
            count *= 2
        if opened.is_refused and was_wrong_key([opened, *found.opened]):
            return WrongEnvelopeKey(self._session_id)
        return UnreadableEnvelope(
            self._session_id,
            f"the newest item can't be removed with this key, because {opened.problem}; "
            f"the wrapped session's own pop_item() removes it, and clear_session() removes all",
        )
