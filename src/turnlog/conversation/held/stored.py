"""Held blocks on stored sessions: their turn, which fences writes, and their key."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.conversation.held.block import OpenBlock, Write, size_of_input
from turnlog.conversation.held.unanswered import unanswered
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.tail import PagedTail
from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.conversation.turns.run_key import Progress, RunKey
from turnlog.items.digest import digest
from turnlog.items.json import Item, encode_all
from turnlog.items.kinds import ends_turn, is_output, is_question

__all__ = ["StoredBlock"]


class StoredBlock(OpenBlock):
    """A block on a log.

    turn: holds the lease.
    progress: how far earlier starts under its key have come; None without a key.
    """

    def __init__(self, reader: LogReader, turn: OpenTurn, progress: Progress | None) -> None:
        super().__init__(reader.store, reader.log)
        self._reader = reader
        self._turn = turn
        self._progress = progress
        self._run: RunKey | None = None
        self._start = 0  # the answer of the block is what stands behind it
        turn.takes_up = self._took_up

    def tail(self) -> PagedTail:
        return PagedTail(self._reader)

    async def finish(self) -> None:
        """The block was left without an error: store that it was answered, if it was.

        Unless another run is part of the turn, this gives the lease back, in the same commit.
        """
        turn = self._turn
        is_over = self.last is not None and is_output(self.last)
        is_answered = self.last is not None and ends_turn(self.last) is True
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

    def got_input(self) -> None:
        super().got_input()
        self._turn.has_written = True

    def _older_question(self) -> range:
        return self._progress.older_question if self._progress else range(0)

    async def _ask(
        self, payloads: list[bytes], items: list[Item], write: Write, *, is_named: bool
    ) -> None:
        if self._progress is None or self.has_input:
            await super()._ask(payloads, items, write, is_named=is_named)
            return
        size = size_of_input(items)
        run = _run_of(self._progress.key, items[:size])
        await self._check(run)
        if is_named:
            await write(payloads)
            size = len(payloads)
        elif not await self._is_stored(items[:size]):
            self._turn.next_key = None if self._is_known else run.question
            await write(payloads[:size])
            await self._got_input_under(run)
        if not self.has_input:
            await self._note(run)
        if payloads[size:]:
            await write(payloads[size:])

    async def _took_up(self) -> None:
        """A run of ours within the block goes on with the question that is waiting."""
        waiting = [] if self.has_input else await unanswered(self.tail())
        if not waiting:
            return
        if self._progress is None:
            self.got_input()
            return
        run = _run_of(self._progress.key, waiting)
        await self._check(run)
        await self._note(run)

    async def _check(self, run: RunKey) -> None:
        """Raise `KeyReused` if the key was used with another input."""
        if self._is_known and run.digest:
            await run.check_input(self.store)

    async def _note(self, run: RunKey) -> None:
        """The input is stored; store the key too, unless that is stored."""
        if not self._is_known:
            await self._turn.ask(run.question)
        await self._got_input_under(run)

    async def _got_input_under(self, run: RunKey) -> None:
        self._run, progress = run, self._progress
        if progress is None or not self._is_known:
            self._start = self._turn.end
        elif progress.is_last:
            self._start = progress.question
        else:  # behind what others have stored since
            self._start = (await self._reader.page(count=1)).newest
            self._turn.answers_behind_others(run, self._start)
        self.got_input()

    @property
    def _is_known(self) -> bool:
        """Whether an earlier start has stored the input under the key of the block."""
        return self._progress is not None and self._progress.question > 0

    async def _is_stored(self, given: list[Item]) -> bool:
        """Whether an earlier attempt has stored the input of the block."""
        if any(map(is_question, given)):
            return self._is_known  # under another key, it is another question
        return await self._is_waiting(given)


def _run_of(key: RunKey, given: Sequence[Item]) -> RunKey:
    """`key` with the digest of the user's messages in its input.

    Without any, as behind an approval, the input says nothing about the request.
    """
    asked = [item for item in given if is_question(item)]
    return key._replace(digest=digest(encode_all(asked)) if asked else b"")
