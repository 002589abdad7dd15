"""Turns and held sessions: what `with` blocks give, with methods that wait."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar

from turnlog.conversation.held.holding import Held
from turnlog.conversation.summaries.outcome import Compacted
from turnlog.items.json import Item, TResponseInputItem
from turnlog.sync.loop import run

__all__ = ["BlockingHeld", "BlockingTurn"]

S = TypeVar("S")


class AnyTurn(Protocol):
    """A turn under way: `turnlog.Turn`, or one at OpenAI."""

    input: list[TResponseInputItem]

    @property
    def answer(self) -> list[TResponseInputItem] | None:
        """The items behind the question, when the turn was begun earlier."""
        ...

    async def add(self, items: Iterable[object], *, usage: object = None) -> None:
        """Store what the model or a tool gave."""
        ...

    async def end(self) -> None:
        """Mark the turn as over."""
        ...


class BlockingTurn(Generic[S]):
    """One turn under way, from `session.turn`: what to send, and `add` for the answer.

    turn: the turn itself.
    session: the session that holds the turn; on a branch of its own, if the policy says so.
    """

    def __init__(self, turn: AnyTurn, session: S) -> None:
        self.turn = turn
        self.session = session

    @property
    def input(self) -> list[TResponseInputItem]:
        """The items to send to the model: the past, repaired, the new input, and what was added.

        `add` puts its items here as well, so that this can be sent again after a tool was called.
        """
        return self.turn.input

    @property
    def answer(self) -> list[TResponseInputItem] | None:
        """The items behind the question, when a turn with the same key has ended earlier.

        None if the turn has no answer yet.
        """
        return self.turn.answer

    @property
    def compaction(self) -> Compacted | None:
        """The outcome of the compaction behind the block; None if there was none."""
        compacted: Compacted | None = getattr(self.turn, "compaction", None)
        return compacted

    def add(self, items: Iterable[object], *, usage: object = None) -> None:
        """Store what the model or a tool gave: dicts, or objects of the `openai` client.

        usage: what it has cost, such as `response.usage`.

        All of them or none. Raises `LeaseLost` if another run has taken over meanwhile, or
        if the turn is over.
        """
        run(self.turn.add, items, usage=usage)

    def end(self) -> None:
        """Mark the turn as over, whatever its last item is."""
        run(self.turn.end)


class BlockingHeld(Generic[S]):
    """A session that is held, from `session.held(…)`.

    held: what the `async with` block gives.
    session: the twin to use; with the policy "branch" it may be on a branch of its own.
    """

    def __init__(self, held: Held[Any], session: S) -> None:
        self.held = held
        self.session = session

    @property
    def answer(self) -> list[Item] | None:
        """The items behind the question, when a block with the same key has ended earlier.

        None if there is no answer yet.
        """
        return self.held.answer

    @property
    def is_replay(self) -> bool:
        """Whether the key was answered before: then there is nothing to do."""
        return self.held.is_replay

    @property
    def text(self) -> str:
        """The text of the last message in `answer`; "" if there is none."""
        return self.held.text
