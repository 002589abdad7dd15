"""A turn of a conversation for people with a loop of their own."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.conversation import Session
from turnlog.items import Item, decode, encode_all
from turnlog.open_turn import OpenTurn, opened

__all__ = ["Turn"]


class Turn:
    """What `StoredSession.turn` gives: what to send, and where what came back goes.

    session: the session that holds the turn; on a branch of its own, if the policy says so.
    """

    def __init__(self, session: Session, shown: list[Item], held: OpenTurn | None) -> None:
        self.session = session
        self._held = held
        #: What to send to the model: the past, mended, and the new input. What is added to
        #: the turn is added here as well, so it can be sent again after a tool was called.
        self.input: list[Item] = shown

    async def add(self, items: Iterable[object]) -> None:
        """Store what came back: items as dicts, or as the objects of the `openai` client.

        All of them or none. Raises `LeaseLost` when another run has taken over meanwhile, and
        when the turn is over.
        """
        payloads = encode_all(items)
        stored = [decode(payload) for payload in payloads]
        if self._held is None:
            await self.session.add_items(stored)
        else:
            await self._held.lease.check()
            with opened(self._held):  # whichever task this is called in
                await self.session.add_items(stored)
        self.input += stored
