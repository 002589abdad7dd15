"""Beginning a turn: read the view, and store the question together with the claim on the lease.

read the view ─▶ commit: lease is free · nobody waits · log still ends there · question
│ conflict
▼
wait, or fork, or raise `SessionBusy` ─▶ lease ─▶ read the view again ─▶ commit: question
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Generic, NamedTuple, Protocol, TypeVar

from turnlog.conversation.protocol import OnBranch, Writable
from turnlog.conversation.summaries.record import summaries_of
from turnlog.conversation.turns.current import inside, is_within_a_turn, joinable_turn_on
from turnlog.conversation.turns.duration import check_busy_timeout
from turnlog.conversation.turns.forking import Forkable, taken
from turnlog.conversation.turns.next_write import in_next_write
from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.conversation.turns.policy import Policy, check_policy
from turnlog.conversation.turns.reporting import Wait
from turnlog.conversation.turns.run_key import (
    Progress,
    RunKey,
    check_keyed_policy,
    check_no_key_inside,
)
from turnlog.conversation.usage.question import Question
from turnlog.errors import Conflict, SessionBusy, StoreClosed
from turnlog.items.json import Item
from turnlog.items.kinds import is_question
from turnlog.items.merge import Merged
from turnlog.loops.arrival import in_order_of_arrival
from turnlog.loops.finishing import finished
from turnlog.loops.termination import ended_by_sigterm
from turnlog.records import Log

__all__ = ["Begun", "View", "first_to_queue", "turn_begun"]

# How often the question is stored together with the claim before the lease is taken alone.
_TRIES = 2


class Asked(Forkable, Writable, Protocol):
    """A session on one branch, to which a run adds its question."""


S = TypeVar("S", bound=Asked)
S_co = TypeVar("S_co", covariant=True)
Read_contra = TypeVar("Read_contra", contravariant=True)


class View(Protocol[Read_contra]):
    """Reads a session and merges it with the new input."""

    def __call__(self, session: Read_contra, *, resumes: bool = True) -> Awaitable[Merged]:
        """Read `session`.

        resumes: an unanswered question in the same words is taken for this one.
        """
        ...


class Begun(NamedTuple, Generic[S_co]):
    """A turn that has begun: its question is stored."""

    #: The session to use; with the policy "branch" it may be on a branch of its own.
    session: S_co
    #: The items to show to the model.
    shown: list[Item]
    #: None with the policy "off", if there is an answer, and where the session has no leases.
    turn: OpenTurn | None = None
    #: What an earlier start with the same run key stored behind the question, the answer
    #: included; None if there is no answer yet.
    answer: list[Item] | None = None
    #: Where the question is stored; None if there is an answer, or the session has no usage.
    question: Question | None = None


@asynccontextmanager
async def turn_begun(
    session: S,
    view: View[S],
    policy: Policy = "queue",
    *,
    seconds: float | None = None,
    busy_timeout: float | None = None,
    key: RunKey | None = None,
) -> AsyncIterator[Begun[S]]:
    """Begin a turn; within, no other run writes to the session.

    view: reads the session. It is called again if the log has grown before the question was
        stored, so that the model never answers an outdated view.
    seconds: how long its lease lasts; None for the session's default.
    busy_timeout: for how many seconds it waits before `SessionWaitTimeout`; None for no bound.
    key: the turn asks and answers once under it, however often it is begun.

    SIGTERM ends the turn, where nobody else handles it.

    With the policy "branch" and another run under way, the turn is on a new branch, which holds
    all turns but the one under way. A run inside a run on the same conversation, such as a tool
    that asks another agent, is part of the outer one.

    Raises `SessionBusy` with the policy "reject", before anything is written.
    Raises `ValueError` for a key where it can't be kept.
    """
    check_policy(policy)
    if session.closed:
        raise StoreClosed(type(session).__name__)
    check_keyed_policy(key, policy)
    check_busy_timeout(busy_timeout)
    around = joinable_turn_on(session.store, Log(session.session_id, session.branch))
    if policy == "off":
        with ended_by_sigterm():
            shown, question = await _begun(session, view)
            yield Begun(session, shown, question=question)
    elif around is not None:
        check_no_key_inside(key)
        async with _part_of(around):
            shown, question = await _begun(session, view)
            if question.end is None:  # nothing was new
                await around.takes_up()
            yield Begun(session, shown, around, question=question)
    else:
        log = Log(session.session_id, session.branch)
        wait = Wait(session.store.identity, log, busy_timeout)
        async with _own_turn(_Beginning(session, view, policy, seconds, wait, key)) as own:
            yield own


async def _begun(session: S, view: View[S]) -> tuple[list[Item], Question]:
    """Read the view and store what is new; what the model is shown, and where that is stored."""
    merged = await view(session)
    if merged.fresh:
        return merged.shown, await _stored(session, merged.fresh)
    return merged.shown, Question(None, is_exact=False)


async def _stored(session: Writable, fresh: list[Item]) -> Question:
    log = Log(session.session_id, session.branch)
    with in_next_write(session.store, log) as extra:
        await session.add_items(fresh)
    is_exact = is_question(fresh[-1]) and not session.add_items_is_overridden()
    return Question(extra.end, is_exact)


@asynccontextmanager
async def _own_turn(beginning: _Beginning[S]) -> AsyncIterator[Begun[S]]:
    with ended_by_sigterm(beginning.give_back):
        async with first_to_queue(beginning.session, beginning.policy, beginning.wait):
            own = await beginning.turn()
        if own.turn is None:
            yield own
            return
        async with _part_of(own.turn):
            with inside(own.turn):
                yield own


class _Beginning(Generic[S]):
    """The begin of one turn that is not part of another."""

    def __init__(
        self,
        session: S,
        view: View[S],
        policy: Policy,
        seconds: float | None,
        wait: Wait,
        key: RunKey | None,
    ) -> None:
        self.policy = policy
        self.session = session
        self.wait = wait
        self._view = view
        self._progress = None if key is None else Progress(key)
        self._question: Question | None = None
        self._turn = OpenTurn(
            session.store,
            Log(session.session_id, session.branch),
            seconds=session.lease_seconds if seconds is None else seconds,
            in_order=policy == "queue",
        )

    async def turn(self) -> Begun[S]:
        """Begin it. If that fails, or there is an answer already, the lease is free again."""
        try:
            shown = await self._shown()
        except BaseException:
            await finished(self.give_back())
            raise
        if shown is None:
            await finished(self.give_back())
            return Begun(self.session, [], None, self._progress and self._progress.answer)
        if self._progress is not None:
            self._answers(self._progress)
        if self._question is None:
            # An earlier start has stored the question.
            question = self._progress.question if self._progress else 0
            self._question = Question(question or self._turn.end, is_exact=False)
        self._turn.question = self._question
        return Begun(self.session, shown, self._turn, question=self._question)

    def _answers(self, progress: Progress) -> None:
        is_last = self._is_asked and progress.is_last
        self._turn.answers(progress.key, progress.question if is_last else None)
        if self._is_asked and not is_last:
            self._turn.answers_behind_others(progress.key, self._turn.end)

    async def give_back(self) -> None:
        """Give the lease back, or the ticket, wherever the turn stands."""
        await self._turn.give_back()

    async def _shown(self) -> list[Item] | None:
        """What the model is shown; None if there is an answer already."""
        if await self._is_answered(holds_lease=False):
            return None
        shown = None if self._is_asked else await self._with_question()
        if shown is not None:
            return shown
        self.session, self._turn = await taken(self.session, self._turn, self.policy, self.wait)
        return None if await self._is_answered(holds_lease=True) else await self._after_lease()

    @property
    def _is_asked(self) -> bool:
        """Whether an earlier start of this run has stored the question."""
        return self._progress is not None and self._progress.question > 0

    async def _is_answered(self, *, holds_lease: bool) -> bool:
        if self._progress is None:
            return False
        key, store = self._progress.key, self.session.store
        self._progress = await key.progress(store, holds_lease=holds_lease)
        return self._progress.answer is not None

    async def _with_question(self) -> list[Item] | None:
        """Take the lease and store the question in one commit; None if that can't be done."""
        tries = _TRIES
        while tries:
            self._turn.reads_again()
            try:
                return await self._read_and_begin()
            except SessionBusy as busy:
                if not self._is_to_be_taken(busy.log):
                    raise
                return None
            except Conflict as conflict:
                if self._has_guessed_wrong(conflict.log):
                    self._turn.reads_summaries = True
                    continue
                if not self._is_to_be_taken(conflict.log):
                    raise
            tries -= 1
        return None

    async def _read_and_begin(self) -> list[Item]:
        with inside(self._turn):
            merged = await self._read_and_store()
            if self._turn.lease.is_new:
                await self._turn.begin()
        return merged.shown

    async def _read_and_store(self) -> Merged:
        """Read the view; store the question, unless an earlier start of this run has done so."""
        # A run with a key never takes the question of another for its own.
        resumes = self._progress is None or self._is_asked
        merged = await self._view(self.session, resumes=resumes)
        if not self._is_asked:
            self._turn.next_key = self._progress.key.question if self._progress else None
            if merged.fresh:
                self._question = await _stored(self.session, merged.fresh)
        return merged

    def _is_to_be_taken(self, log: Log) -> bool:
        """Whether an error about `log` came from taking the lease of this turn."""
        return log == self._turn.log and self._turn.lease.is_new

    def _has_guessed_wrong(self, log: Log) -> bool:
        """Whether an error about `log` shows that the branch has other summaries than guessed."""
        is_guess = self._turn.may_guess_summaries
        return is_guess and log == summaries_of(self._turn.log)

    async def _after_lease(self) -> list[Item]:
        """With the lease: read, and store the question unless it is stored."""
        self._turn.reads_again()
        with inside(self._turn):
            merged = await self._read_and_store()
        key, self._turn.next_key = self._turn.next_key, None
        if key is not None:  # nothing was new
            await self._turn.ask(key)
        return merged.shown


def first_to_queue(
    session: OnBranch, policy: Policy, wait: Wait
) -> AbstractAsyncContextManager[None]:
    """Within, all runs of this event loop that came earlier have taken the lease.

    A run that is part of a turn already doesn't wait here: those that do may wait for its end.
    """
    if policy != "queue" or is_within_a_turn():
        return nullcontext()
    key = session.store.identity, session.session_id, session.branch
    return in_order_of_arrival(key, wait.bounded)


@asynccontextmanager
async def _part_of(turn: OpenTurn) -> AsyncIterator[None]:
    """Within, the turn's lease is held, also when the run that took it has ended."""
    turn.join()
    try:
        yield
    finally:
        await turn.leave()
