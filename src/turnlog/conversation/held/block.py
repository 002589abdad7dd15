"""Held blocks: what is read and stored within `session.held(…)`, whichever runner does it.

The first thing that is added within, notes apart, is the input of the block. Until then, what an
earlier attempt has left unanswered at the end of the log is not shown; if the input is part of
that, it is not stored again. So a runner that knows nothing of leases and retries sends a
request in which the question stands once, and stores it once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from turnlog.conversation.held.unanswered import found_in, shown_before, unanswered
from turnlog.conversation.reading.tail import Tail
from turnlog.conversation.settings import SessionSettings
from turnlog.conversation.turns.current import open_turn_on
from turnlog.errors import LeaseLost, NotSupported
from turnlog.items.json import Item, decode
from turnlog.items.kinds import ends_turn, is_note, is_question, is_sealed
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Block", "OpenBlock", "Write"]

#: Appends payloads to the log.
Write: TypeAlias = Callable[[list[bytes]], Awaitable[None]]


class _BlockEnded(LeaseLost):
    """A task that was started in a held block wanted to store something after its end."""

    def __str__(self) -> str:
        return (
            f"the held block on log {self.log.name!r} of session {self.log.session!r} has ended, "
            "so this run may not store what it was to store in it: leave the block when the run "
            "has ended, a streamed one when its events are consumed. Nothing was written"
        )


class Block:
    """A block that was entered, as reads and writes of its session meet it.

    This one has nothing to do, because its key was answered before.
    """

    def __init__(self, store: Store, log: Log) -> None:
        self.store, self.log = store, log
        #: Whether it was left. Tasks that were started in it may still run.
        self.has_ended = False

    @property
    def hides(self) -> bool:
        """Whether reads leave out what an earlier attempt has left unanswered."""
        return False

    async def shown(self, tail: Tail, settings: SessionSettings, most: int | None) -> list[Item]:
        """The items that a read shows while the block `hides` some.

        most: at most so many; None means all, or what the windows of `settings` show.
        """
        return await shown_before(tail, [], settings, most)

    async def add(self, payloads: list[bytes], write: Write, *, is_named: bool = False) -> None:
        """Store `payloads` by `write`; the input of the block only if it isn't stored.

        is_named: whether the write has a key of its own; then it is made as it is.

        Raises `ValueError` if the key of the block was answered before, `KeyReused` if it had
        another input, `LeaseLost` if the block has ended, and `NotSupported` for items that are
        encrypted above the block, where questions can't be told from answers. Nothing is written
        then.
        """
        if not self.has_ended:
            await self._add(payloads, write, is_named=is_named)
        elif open_turn_on(self.store, self.log) is None:
            raise _BlockEnded(self.log)
        else:
            await write(payloads)  # within another turn, which has begun since

    async def _add(
        self,
        payloads: list[bytes],  # noqa: ARG002 - nothing is stored
        write: Write,  # noqa: ARG002
        *,
        is_named: bool,  # noqa: ARG002
    ) -> None:
        raise ValueError(
            "the key of this held block was answered before, so nothing is stored in it: look at "
            "held.is_replay before the run, and use held.answer or held.text; a new request needs "
            "a key of its own"
        )


class OpenBlock(Block, ABC):
    """The rules of a block in which something is to be done."""

    def __init__(self, store: Store, log: Log) -> None:
        super().__init__(store, log)
        #: Whether the first item that is no note was added.
        self.has_input = False
        #: The newest item that tells whether the turn is over; None if none was added.
        self.last: Item | None = None
        self._may_wait = True  # whether the log may end with a question that nobody has answered

    @abstractmethod
    def tail(self) -> Tail:
        """The newest part of the log as it is, with nothing read of it yet."""

    @property
    def hides(self) -> bool:
        return not self.has_ended and not self.has_input

    async def shown(self, tail: Tail, settings: SessionSettings, most: int | None) -> list[Item]:
        waiting = await unanswered(tail)
        self._may_wait = bool(waiting)
        return await shown_before(tail, waiting, settings, most, asked=self._older_question())

    def _older_question(self) -> range:
        """The positions of the block's question and work, if others stand behind them."""
        return range(0)

    async def _add(self, payloads: list[bytes], write: Write, *, is_named: bool) -> None:
        items = [*map(decode, payloads)]
        _check_readable(items)
        telling = [item for item in items if not is_note(item)]
        if telling and (not self.has_input or any(map(is_question, items))):
            await self._ask(payloads, items, write, is_named=is_named)
        else:
            await write(payloads)
        ends = [item for item in telling if ends_turn(item) is not None]
        self.last = ends[-1] if ends else self.last

    async def _ask(
        self, payloads: list[bytes], items: list[Item], write: Write, *, is_named: bool
    ) -> None:
        """Store an input, unless it is stored already, and what is added together with it."""
        size = size_of_input(items)
        if is_named or not await self._is_waiting(items[:size]):
            size = 0
        if payloads[size:]:
            await write(payloads[size:])
        self.got_input()

    def got_input(self) -> None:
        """The block has its input."""
        self.has_input = self._may_wait = True

    async def _is_waiting(self, given: list[Item]) -> bool:
        """Whether `given` is stored, and nobody has answered it."""
        if not self._may_wait:
            return False
        tail = self.tail()
        return found_in(await unanswered(tail), given, tail)


def _check_readable(items: list[Item]) -> None:
    """Raise `NotSupported` for items that a session around the held one has encrypted."""
    if any(map(is_sealed, items)):
        raise NotSupported(
            "an EncryptedSession was put around a held session, which then can't tell a question "
            "from an answer, nor a retry from a new question. Nothing was stored. Hold "
            "EncryptSession(session, key), which encrypts below the block, and give held.session "
            "to the run"
        )


def size_of_input(items: Sequence[Item]) -> int:
    """The number of `items` that are input: those up to the last user's message, or all of them."""
    places = [place for place, item in enumerate(items) if is_question(item)]
    return places[-1] + 1 if places else len(items)
