"""A turn of a conversation for people with a loop of their own."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.conversation.protocol import Session
from turnlog.conversation.reading.endings import Endings
from turnlog.conversation.turns.holding import OpenTurn, opened
from turnlog.items.json import Item, decode, encode_all
from turnlog.items.kinds import ends_turn, is_output

__all__ = ["Turn"]


class Turn:
    """What `StoredSession.turn` gives: what to send, and where what came back goes.

    session: the session that holds the turn; on a branch of its own, if the policy says so.
    """

    def __init__(
        self, session: Session, endings: Endings, shown: list[Item], held: OpenTurn | None
    ) -> None:
        self.session = session
        self._endings = endings
        self._added: list[Item] = []
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
        self._added += stored

    async def end(self) -> None:
        """Say that the turn is over, whatever it ends with.

        The same words are a new question then, and no retry of this one.
        """
        if self._held is not None:
            await self._held.lease.check()
        await self._endings.mark_all()

    async def left(self) -> None:
        """The block was left without an error."""
        told = [item for item in self._added if ends_turn(item) is not None]
        if told and is_output(told[-1]):
            await self.end()
