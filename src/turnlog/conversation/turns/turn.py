"""Turns for people who write the loop around the model themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from turnlog.conversation.protocol import Writable
from turnlog.conversation.summaries.outcome import Compacted
from turnlog.conversation.turns.current import inside
from turnlog.conversation.turns.endings import Endings
from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.conversation.usage.recording import PendingUsage
from turnlog.conversation.usage.reported import usage_in
from turnlog.conversation.usage.spending import Spending
from turnlog.errors import LeaseLost, TurnEnded
from turnlog.items.json import Item, TResponseInputItem, decode, encode_all
from turnlog.items.kinds import ends_turn, is_output
from turnlog.items.messages import unchecked
from turnlog.records import Log

__all__ = ["Turn", "block_of"]


@contextmanager
def block_of(turn: Turn) -> Iterator[None]:
    """The block in which `turn` is used. Behind it, nothing can be added."""
    try:
        yield
    finally:
        turn._has_ended = True  # noqa: SLF001 - not for users


class Turn:
    """One turn under way, from `StoredSession.turn`: what to send, and `add` for the answer.

    session: the session that holds the turn; on a branch of its own, if the policy says so.
    """

    def __init__(
        self,
        session: Writable,
        shown: list[Item],
        open_turn: OpenTurn | None,
        answer: list[Item] | None,
        spending: Spending,
    ) -> None:
        self.session = session
        self._spending = spending
        self._added: list[Item] = []
        self._open_turn = open_turn
        self._has_ended = False
        #: The items to send to the model: the past, repaired, and the new input. `add` puts
        #: its items here as well, so that this can be sent again after a tool was called.
        self.input: list[TResponseInputItem] = shown
        #: What was stored behind the question when the turn was begun earlier with the same
        #: key, and has ended; None if it has no answer yet.
        self.answer: list[TResponseInputItem] | None = answer
        #: The outcome of the compaction behind the block; None if there was none.
        self.compaction: Compacted | None = None

    async def add(self, items: Iterable[object], *, usage: object = None) -> None:
        """Store what the model or a tool gave: dicts, or objects of the `openai` client.

        usage: what it has cost, such as `response.usage`: an object or a dict with
            `input_tokens` and `output_tokens`, or the names of other APIs. All that is given
            in the turn adds up and is recorded when it ends.

        All of them or none. Raises `LeaseLost` if another run has taken over meanwhile, and
        `TurnEnded`, which is one, behind the block or if the turn was answered before.
        """
        self._check_open()
        cost = usage_in(usage)
        payloads = encode_all(items)
        if self.answer is None:
            self._spending.add(cost)  # it is spent, also if it can't be stored
        stored = [decode(payload) for payload in payloads]
        with unchecked():  # it is what a model or a tool has given
            await self._store(stored)
        self.input += stored
        self._added += stored

    async def _store(self, stored: list[Item]) -> None:
        if self._open_turn is None:
            self._check_unanswered()
            await self.session.add_items(stored)
        elif not self._open_turn.is_open:
            raise LeaseLost(self._open_turn.log)
        else:
            with inside(self._open_turn):  # in whichever task this is called
                await self.session.add_items(stored)

    async def end(self) -> None:
        """Mark the turn as over, whatever its last item is.

        Then the same words are a new question, and not a retry of this one.
        """
        self._check_open()
        await self._end()

    async def _end(self) -> None:
        if self._open_turn is None:
            self._check_unanswered()
            await Endings(self.session.store, self._log()).mark_all()
        else:
            await self._open_turn.mark_over()

    async def left(self, pending: PendingUsage | None) -> None:
        """The block was left without an error: a turn whose last item is an output is over.

        pending: usage to record.
        """
        if self._open_turn is not None and pending is not None:
            self._open_turn.add_usage(pending)
        telling = [item for item in self._added if ends_turn(item) is not None]
        is_over = bool(telling) and is_output(telling[-1])
        if self._open_turn is None or self._open_turn.runs > 1:
            if is_over:
                await self._end()
        elif is_over or (self._open_turn.run and telling):
            with self._open_turn.last_write(is_over=is_over):
                await self._open_turn.finish()

    def _check_open(self) -> None:
        if self._has_ended:
            raise TurnEnded(self._log())

    def _check_unanswered(self) -> None:
        if self.answer is not None:
            raise TurnEnded(self._log(), answered=True)

    def _log(self) -> Log:
        return Log(self.session.session_id, self.session.branch)
