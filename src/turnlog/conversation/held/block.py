"""Held blocks: what is read and stored within `session.held(…)`, whichever runner does it.

The first thing that is added within, notes apart, is the input of the block. Until then, what an
earlier attempt has left unanswered at the end of the log is not shown; if the input is part of
that, it is not stored again. So a runner that knows nothing of leases and retries sends a
request in which the question stands once, and stores it once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from turnlog.conversation.held.unanswered import found_in, shown_before, unanswered
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.tail import PagedTail, Tail
from turnlog.conversation.settings import SessionSettings
from turnlog.conversation.turns.current import open_turn_on
from turnlog.conversation.turns.holding import OpenTurn
from turnlog.conversation.turns.run_key import Progress, RunKey
from turnlog.errors import LeaseLost
from turnlog.items.digest import digest
from turnlog.items.json import Item, decode, encode_all
from turnlog.items.kinds import ends_turn, is_note, is_output, is_question
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Block", "BlockEnded", "OpenBlock", "Write"]

#: Appends payloads to the log.
Write: TypeAlias = Callable[[list[bytes]], Awaitable[None]]


class BlockEnded(LeaseLost):
    """A task that was started in a held block wanted to store something after its end."""

    def __str__(self) -> str:
        return (
            f"the held block on log {self.log.name!r} of session {self.log.session!r} has ended, "
            "so this run may not store what it was to store in it: leave the block when the run "
            "has ended, a streamed one when its events are consumed. Nothing was written"
        )


class Block:
    """A block that was entered, as reads and writes of its session meet it."""

    def __init__(self, store: Store, log: Log) -> None:
        self.store, self.log = store, log
        #: Whether it was left. Tasks that were started in it may still run.
        self.has_ended = False

    @property
    def hides(self) -> bool:
        """Whether reads leave out what an earlier attempt has left unanswered."""
        return False

    async def add(
        self,
        payloads: list[bytes],
        write: Write,
        *,
        is_named: bool,  # noqa: ARG002 - for those whose turn is open
    ) -> None:
        """Store `payloads` by `write`; the input of the block only if it isn't stored.

        is_named: whether the write has a key of its own; then it is made as it is.

        Raises `ValueError` if the key of the block was answered before, or had another input;
        `LeaseLost` if the block has ended. Nothing is written then.
        """
        if not self.has_ended:
            raise ValueError(
                "the key of this held block was answered before, so nothing is stored in it: look "
                "at held.is_replay before the run, and use held.answer or held.text; a new request "
                "needs a key of its own"
            )
        if open_turn_on(self.store, self.log) is None:
            raise BlockEnded(self.log)
        await write(payloads)  # within another turn, which has begun since

    async def shown(self, tail: Tail, settings: SessionSettings, most: int | None) -> list[Item]:
        """The items that a read shows while the block `hides` some.

        most: at most so many; None means all, or what the windows of `settings` show.
        """
        return await shown_before(tail, [], settings, most)


class OpenBlock(Block):
    """The rules of a block whose turn is open.

    reader: of its log.
    turn: holds the lease.
    progress: how far earlier starts under its key have come; None without a key.
    """

    def __init__(self, reader: LogReader, turn: OpenTurn, progress: Progress | None) -> None:
        super().__init__(reader.store, reader.log)
        self._reader = reader
        self._progress = progress
        self._run: RunKey | None = None
        self._start: int | None = None  # the answer of the block is what stands behind it
        self._is_asked = False
        self._may_wait = True  # whether an earlier attempt may have left something
        self._last: Item | None = None  # the newest item that tells whether the turn is over
        self._turn = turn
        turn.takes_up = self._took_up

    @property
    def hides(self) -> bool:
        return not self.has_ended and not self._is_asked

    async def shown(self, tail: Tail, settings: SessionSettings, most: int | None) -> list[Item]:
        waiting = await unanswered(tail)
        self._may_wait = bool(waiting)
        progress = self._progress
        asked = progress.question if progress and not progress.is_last else 0
        return await shown_before(tail, waiting, settings, most, asked=asked)

    async def add(self, payloads: list[bytes], write: Write, *, is_named: bool) -> None:
        if self.has_ended:
            await super().add(payloads, write, is_named=is_named)
            return
        items = [*map(decode, payloads)]
        if self._is_asked or all(map(is_note, items)):
            await write(payloads)
        else:
            await self._ask(payloads, items, write, is_named=is_named)
        telling = [item for item in items if ends_turn(item) is not None]
        self._last = telling[-1] if telling else self._last

    async def finish(self) -> None:
        """The block was left without an error: store that it was answered, if it was.

        Unless another run is part of the turn, this gives the lease back, in the same commit.
        """
        turn = self._turn
        is_over = self._last is not None and is_output(self._last)
        is_answered = self._last is not None and ends_turn(self._last) is True
        if turn.runs > 1:
            if is_over:
                await turn.mark_over()
            return
        if self._run is not None and (is_over or is_answered or turn.is_marked):
            turn.answers(self._run, self._start)
        elif not is_over:
            return
        with turn.last_write(is_over=is_over):
            await turn.finish()

    async def _ask(
        self, payloads: list[bytes], items: list[Item], write: Write, *, is_named: bool
    ) -> None:
        """Store the input of the block, and what is added together with it."""
        size = _size_of_input(items)
        run = self._run_of(items[:size])
        is_stored = await self._is_stored_under(run)
        if is_named:
            await write(payloads)
            if run is not None and not is_stored:
                await self._turn.ask(run.question)
            rest = []
        elif is_stored or (run is None and await self._is_waiting(items[:size])):
            rest = payloads[size:]
        elif run is None:
            await write(payloads)
            rest = []
        else:
            self._turn.next_key = run.question
            await write(payloads[:size])
            rest = payloads[size:]
        await self._was_asked(run)
        if rest:
            await write(rest)

    async def _took_up(self) -> None:
        """A run of ours within the block goes on with the question that is waiting."""
        waiting = [] if self._is_asked else await unanswered(self._tail())
        if not waiting:
            return
        run = self._run_of([item for item in waiting if is_question(item)])
        if run is not None and not await self._is_stored_under(run):
            await self._turn.ask(run.question)
        await self._was_asked(run)

    async def _was_asked(self, run: RunKey | None) -> None:
        """The input of the block is stored."""
        self._is_asked = self._turn.has_written = True
        self._run, progress = run, self._progress
        if run is not None:
            is_last = progress is not None and progress.question and progress.is_last
            self._start = progress.question if progress and is_last else await self._end()

    def _run_of(self, given: Sequence[Item]) -> RunKey | None:
        """The keys of the block for this input: of the user's messages in it, if there are any."""
        if self._progress is None:
            return None
        asked = [item for item in given if is_question(item)] or given
        return self._progress.key._replace(digest=digest(encode_all(asked)))

    async def _is_stored_under(self, run: RunKey | None) -> bool:
        """Whether an earlier start has stored the input. Raises `ValueError` for another one."""
        if run is None or self._progress is None or not self._progress.question:
            return False
        await run.check_input(self.store)
        return True

    async def _is_waiting(self, given: list[Item]) -> bool:
        """Whether an earlier attempt has stored `given` and nobody has answered it."""
        if not self._may_wait:
            return False
        tail = self._tail()
        return found_in(await unanswered(tail), given, tail)

    def _tail(self) -> PagedTail:
        return PagedTail(self._reader)

    async def _end(self) -> int:
        """Where the log ends."""
        page = await self._reader.page(count=1)
        return page.newest


def _size_of_input(items: Sequence[Item]) -> int:
    """How many of `items` are input: those up to the last user's message, or all of them."""
    places = [place for place, item in enumerate(items) if is_question(item)]
    return places[-1] + 1 if places else len(items)
