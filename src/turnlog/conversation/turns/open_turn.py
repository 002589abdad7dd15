"""Open turns: the writes of a run that holds the lease, fenced against runs that lost it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from secrets import token_hex

from turnlog.changes import Append, Change, Key
from turnlog.conversation.turns.endings import mark_up_to
from turnlog.conversation.turns.lease import Lease
from turnlog.conversation.turns.reporting import Wait
from turnlog.conversation.turns.run_key import RunKey
from turnlog.conversation.usage.question import Question
from turnlog.conversation.usage.recording import PendingUsage, merged
from turnlog.errors import Conflict, SessionBusy
from turnlog.loops.finishing import finished
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["OpenTurn"]


class OpenTurn:
    """The writes of one run on one log.

    The first write is the run's question. It takes the lease in the same commit, if the log still
    ends where the run has read it. Every later write checks the lease in the same commit: once
    another run holds it, the write is refused with `LeaseLost`. The last write may give the
    lease back.

    Each write has a key, so that it can be retried when its acknowledgement was lost.

    seconds: how long its lease lasts; None for the default.
    in_order: whether the lease is left to runs that wait for it.
    """

    def __init__(
        self, store: Store, log: Log, *, seconds: float | None, in_order: bool = False
    ) -> None:
        self.store = store
        self.log = log
        self.lease = Lease(store, log, seconds=seconds)
        #: Where its question is stored; None until it is.
        self.question: Question | None = None
        #: How many runs are part of this turn. The last one to end gives the lease back.
        self.runs = 0
        #: Whether the turn has stored anything yet. If not, its next write is its question.
        self.has_written = False
        #: Changes that the next write makes as well. What stands there when the log is read
        #: again is dropped.
        self.extra_changes: list[Change] = []
        #: Whether summaries are read before its question is stored, and not guessed.
        self.reads_summaries = False
        #: The key of the next write; one is drawn for None.
        self.next_key: Key | None = None
        #: The keys of the run, if it has one that outlives the turn.
        self.run: RunKey | None = None
        #: Whether it was marked as over, although it has no answer.
        self.is_marked = False
        #: Called when a run that became part of it found its question stored already.
        self.takes_up: Callable[[], Awaitable[None]] = _nothing
        self._start = 0  # the answer of the run is what it stores behind this position
        self._in_order = in_order
        self._end: int | None = None  # where the log ends, as far as the run knows
        self._is_last = self._is_over = False
        self._pending: list[PendingUsage] = []

    @property
    def is_open(self) -> bool:
        """Whether the writes of the run go through here."""
        return self.lease.is_new or self.lease.is_open

    @property
    def is_joinable(self) -> bool:
        """Whether another run can become part of this turn."""
        return self.is_open and not self._is_last

    @property
    def may_guess_summaries(self) -> bool:
        """Whether the commit with its question can check a guess at the summaries."""
        return self.lease.is_new and not self.reads_summaries

    @property
    def end(self) -> int:
        """The position at which the log ends, as far as the run knows; 0 if it does not know."""
        return self._end or 0

    def saw(self, end: int) -> None:
        """The run has read the log up to position `end`."""
        if self._end is None:
            self._end = end

    def add_usage(self, pending: PendingUsage) -> None:
        """Record the usage of a run with the next write, or else when the lease is given back."""
        if pending.is_open and pending not in self._pending:
            self._pending.append(pending)

    def join(self) -> None:
        """One run more is part of this turn."""
        self.runs += 1

    async def leave(self) -> None:
        """One run less is part of this turn. With the last one, the lease is given back."""
        self.runs -= 1
        if self.runs == 0 and self.is_open:
            await finished(self.give_back())

    async def give_back(self) -> None:
        """Give the lease back, and record the usage that is not recorded yet."""
        pending, self._pending = self._pending, []
        await self.lease.give_back(pending)

    def reads_again(self) -> None:
        """Forget what the run has read: it is about to read the log again."""
        self._end = None
        self.extra_changes.clear()

    async def take(self, wait: Wait) -> None:
        """Take the lease without a question; `in_order`, it waits for the runs that came earlier.

        Raises `SessionBusy` if the lease isn't free and it doesn't wait.
        """
        if not isinstance(await self.lease.take(in_order=self._in_order), str):
            return
        if not self._in_order:
            raise SessionBusy(self.log)
        await self.lease.queue(wait)

    async def begin(self, payloads: Sequence[bytes] = ()) -> None:
        """Take the lease and put `payloads`, the question, at the end of the log.

        Raises `SessionBusy` if the lease isn't free, `Conflict` if the log has grown since the
        run has read it; nothing is written then.
        """
        question = Append(self.log.name, payloads, self._end)
        done = await self.lease.take(
            *self.extra_changes, question, in_order=self._in_order, key=self._taken_key()
        )
        if isinstance(done, str):
            raise SessionBusy(self.log)
        if self.lease.is_new:  # another start of this run has stored the question
            raise Conflict(self.log, self._end or 0, done.positions[-1])
        self._end = done.positions[-1]
        self.extra_changes.clear()

    async def ask(self, key: Key) -> None:
        """Store `key`, of a question that is in the log already."""
        [self._end] = await self.lease.renew(Append(self.log.name, []), key=key)

    def answers(self, run: RunKey, start: int | None) -> None:
        """The question of `run` is stored; what the turn stores behind `start` answers it.

        start: None means the end of the log as it was read.
        """
        self.run = run
        self._start = (self._end or 0) if start is None else start

    def answers_behind_others(self, run: RunKey, start: int) -> None:
        """The next write notes that what `run` stores behind `start` answers no later question.

        Others have asked since its own was stored. If this start dies, they are not to take its
        work for theirs.
        """
        self.extra_changes.append(run.record(start))

    async def append(
        self, payloads: Sequence[bytes], key: Key | None = None, *, store: Store | None = None
    ) -> int:
        """Put `payloads` at the end of the log, all of them or none.

        key: of this write; one is drawn for None.
        store: the handle to write through; the turn's own unless given.

        Returns where the log ends then, unless this was the last write. Raises `LeaseLost` when
        another run has taken over; nothing is written then. The first write raises what `begin`
        raises.
        """
        written = [Append(self.log.name, payloads)]
        is_own = store is None or store is self.store  # a layer may change what is written
        if self.lease.is_new and key is None and is_own:
            await self.begin(payloads)
        elif self._is_last:
            await self.finish(written, store)
        else:
            await self._begun()
            await self._write(written, key, store)
        self.has_written = True
        return self._end or 0

    async def write(self, changes: Sequence[Change], store: Store) -> int:
        """Make `changes`, the first of which is on the log; returns where the log ends then."""
        await self._begun()
        await self._write(changes, None, store)
        return self._end or 0

    async def clear(self, changes: Sequence[Change]) -> None:
        """Make `changes`, which empty the session; the turn and its lease go on."""
        await self._begun()
        await self.lease.renew(*changes)
        self._end = 0

    async def mark_over(self) -> None:
        """Mark the turn as over, although it has no answer. Raises `LeaseLost`."""
        key = self.answer_key or self._drawn_key()
        made, record = [Append(self.log.name, []), self._mark()], self._record()
        async with self._with_extra([*made, *record]) as extra:
            await self.lease.commit([*made, *extra, *record], key)
        self.run, self.is_marked = None, True

    async def commit(self, changes: Sequence[Change]) -> None:
        """Make `changes`, which leave the log as it is. Raises `LeaseLost`."""
        await self._begun()
        await self.lease.commit(changes, self._drawn_key())

    @contextmanager
    def last_write(self, *, is_over: bool) -> Iterator[None]:
        """Within, the next write gives the lease back, if no other run is part of this turn.

        is_over: it also marks the turn as over, although it has no answer.
        """
        self._is_last, self._is_over = self.runs == 1 and self.lease.is_open, is_over
        try:
            yield
        finally:
            self._is_last = self._is_over = False

    async def finish(self, changes: Sequence[Change] = (), store: Store | None = None) -> None:
        """Make `changes` and give the lease back, in one commit."""
        answer = changes or [Append(self.log.name, [])]
        mark = [self._mark()] if self._is_over else []
        key = self.answer_key or Key(f"{self.lease.holder}/end", brief=True)
        try:
            record = self._record()
            async with self._with_extra([*answer, *record]) as extra:
                await self.lease.finish([*answer, *mark, *extra, *record], key, store)
        except ValueError:
            if self.run is not None:
                # Another start may have stored its answer; then it has taken the lease as well.
                await self.lease.commit([], self._drawn_key())
            raise

    async def _begun(self) -> None:
        if self.lease.is_new:
            await self.begin()

    async def _write(self, changes: Sequence[Change], key: Key | None, store: Store | None) -> None:
        key = key or self._taken_key() or self._drawn_key()
        record = self._record() if key == self.answer_key else []
        async with self._with_extra([*changes, *record]) as extra:
            # Those who ask for the key of a question take the last position for its end; with
            # that of an answer, the first for its end and the last for its record.
            if record:
                done = await self.lease.commit([*changes, *extra, *record], key, store)
                self._end = done[0]
            else:
                done = await self.lease.commit([*extra, *changes], key, store)
                self._end = done[-len(changes)]

    @asynccontextmanager
    async def _with_extra(self, changes: Sequence[Change]) -> AsyncIterator[list[Change]]:
        """What is to be made together with `changes`; it is kept if that fails.

        A change to a log that `changes` name as well is outdated by them, and is dropped.
        """
        extra, pending = self.extra_changes, self._pending
        self.extra_changes, self._pending = [], []
        try:
            usage = [change for each in pending if (change := await each.change()) is not None]
            named = {change.log for change in changes}
            yield merged([*(each for each in extra if each.log not in named), *usage])
        except BaseException:
            self.extra_changes = [*extra, *self.extra_changes]
            self._pending = [*pending, *self._pending]
            raise
        for each in pending:
            each.mark_recorded()

    @property
    def answer_key(self) -> Key | None:
        """The key of the last write; None if a brief one will do."""
        return self.run.answer(self.lease.holder) if self.run else None

    def _record(self) -> list[Change]:
        return [self.run.record(self._start)] if self.run else []

    def _mark(self) -> Change:
        return mark_up_to(self.log, self._end or 0)

    def _taken_key(self) -> Key | None:
        key, self.next_key = self.next_key, None
        return key

    def _drawn_key(self) -> Key:
        # Drawn, not counted: processes that were forked within the turn share all that it counts.
        return Key(f"{self.lease.holder[:16]}/{token_hex(6)}", brief=True)


async def _nothing() -> None:
    """Do nothing."""
