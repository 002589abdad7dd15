"""Turns on a conversation at OpenAI: one run at a time, and the object that `session.turn` gives.

Runs on one session object take turns. With a store, they hold a lease there too, which all
processes with the same store respect.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Protocol

from turnlog.conversation.held.block import OpenBlock
from turnlog.conversation.turns.current import inside, joinable_turn_on
from turnlog.conversation.turns.duration import check_busy_timeout, check_lease_seconds
from turnlog.conversation.turns.elsewhere import ReadView
from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.conversation.turns.policy import Policy, check_policy
from turnlog.conversation.turns.reporting import Wait
from turnlog.conversation.usage.question import Question
from turnlog.conversation.usage.recording import PendingUsage, recorded
from turnlog.conversation.usage.reported import usage_in
from turnlog.conversation.usage.spending import Spending
from turnlog.errors import LeaseLost, SessionBusy
from turnlog.items.json import Item, TResponseInputItem, decode, encode_all
from turnlog.loops.finishing import finished
from turnlog.loops.locks import ProcessLock
from turnlog.loops.stacks import ContextStack
from turnlog.loops.termination import ended_by_sigterm
from turnlog.records import Log
from turnlog.sessions.conversations.refusals import refuse
from turnlog.store import Store

__all__ = ["ConversationTurn", "Turns", "check_possible"]


class Host(Protocol):
    """The session whose turns these are."""

    @property
    def conversation_id(self) -> str | None:
        """The id of the conversation; None before it is created."""
        ...

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Append `items`."""
        ...


class Turns:
    """The turns on one session.

    store: where leases and usage live; None for neither.
    """

    def __init__(self, session: Host, store: Store | None) -> None:
        self._session = session
        self._store = store
        self._lock = ProcessLock()
        self._is_asked = False
        #: The held block that is under way; None outside of any.
        self.block: OpenBlock | None = None

    @property
    def is_inside(self) -> bool:
        """Whether the running task belongs to a turn on this session."""
        return self in _within.entries

    @property
    def is_nested(self) -> bool:
        """Whether it belongs to one whose question is stored."""
        return self.is_inside and self._is_asked

    @asynccontextmanager
    async def begun(
        self,
        view: ReadView,
        policy: Policy,
        seconds: float | None,
        busy_timeout: float | None,
        key: str | None,
        spending: Spending,
    ) -> AsyncIterator[list[Item]]:
        """A turn, as `BeginsTurns.run_begun` describes it."""
        check_policy(policy)
        check_lease_seconds(seconds)
        check_busy_timeout(busy_timeout)
        check_possible(policy, key)
        if policy == "off" or self.is_inside:
            with ended_by_sigterm():
                async with self._accounted(spending):
                    yield await self._asked(view)
            return
        if policy == "reject" and self._lock.is_held:
            raise SessionBusy(self._log)
        wait = Wait(self._store and self._store.identity, self._log, busy_timeout)
        with ended_by_sigterm():
            async with self._alone(wait), self._accounted(spending):
                with self.inside():
                    async with self._leased(view, policy, seconds, wait) as shown:
                        yield shown

    @asynccontextmanager
    async def _alone(self, wait: Wait) -> AsyncIterator[None]:
        """Within, no other run on this object is under way."""
        async with AsyncExitStack() as stack:
            async with wait.bounded():
                await stack.enter_async_context(self._lock)
            yield

    @asynccontextmanager
    async def _leased(
        self, view: ReadView, policy: Policy, seconds: float | None, wait: Wait
    ) -> AsyncIterator[list[Item]]:
        """The turn, with a lease around it if there is a store."""
        if self._session.conversation_id is None:
            # Nobody else knows the conversation before it is created, so the lease is free then.
            shown = await self._asked(view)
            async with self._lease("queue", seconds, wait):
                yield shown
        else:
            async with self._lease(policy, seconds, wait):
                yield await self._asked(view)

    @asynccontextmanager
    async def _lease(
        self, policy: Policy, seconds: float | None, wait: Wait
    ) -> AsyncIterator[None]:
        turn = self._new_turn(policy, seconds)
        if turn is None:
            yield
            return
        with ended_by_sigterm(turn.give_back):
            await turn.take(wait)
            try:
                with inside(turn):
                    yield
            finally:
                await finished(turn.give_back())

    def _new_turn(self, policy: Policy, seconds: float | None) -> OpenTurn | None:
        """A turn whose lease is yet to be taken; None where there is none to take."""
        store, log = self._store, self._log
        if store is None or not log.session or joinable_turn_on(store, log) is not None:
            return None
        return OpenTurn(store, log, seconds=seconds, in_order=policy == "queue")

    async def taken(
        self, policy: Policy, seconds: float | None, busy_timeout: float | None
    ) -> OpenTurn | None:
        """Wait until this session object and the lease are free; `given_back` has to follow.

        Returns the turn with the lease; None before the conversation is created.
        """
        if policy == "reject" and self._lock.is_held:
            raise SessionBusy(self._log)
        wait = Wait(self._store and self._store.identity, self._log, busy_timeout)
        async with wait.bounded():
            await self._lock.__aenter__()
        try:
            turn = self._new_turn(policy, seconds)
            if turn is not None:
                await turn.take(wait)
        except BaseException:
            await self._lock.__aexit__()
            raise
        return turn

    async def given_back(self, turn: OpenTurn | None) -> None:
        """Free what `taken` has taken."""
        try:
            if turn is not None:
                await turn.give_back()
        finally:
            await self._lock.__aexit__()

    async def _asked(self, view: ReadView) -> list[Item]:
        merged = await view(self._session)
        if merged.fresh:
            await self._session.add_items(merged.fresh)
        self._is_asked = True
        if self.block is not None:
            self.block.got_input()
        return merged.shown

    @asynccontextmanager
    async def _accounted(self, spending: Spending) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self._store is not None and self._log.session:
                pending = PendingUsage(self._store, self._log, Question(0, is_exact=True), spending)
                await finished(recorded(pending, is_new=True))

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Within, the running task and those that it starts belong to a turn on this session."""
        with _within.inside(self):
            try:
                yield
            finally:
                self._is_asked = False

    @property
    def _log(self) -> Log:
        return Log(self._session.conversation_id or "")


class ConversationTurn:
    """One turn under way: what to send, and `add` for the answer. See `turnlog.Turn`.

    session: the session that holds the turn.
    """

    #: There are no run keys, so no earlier start has an answer.
    answer: None = None

    def __init__(self, session: Host, shown: list[Item], spending: Spending) -> None:
        self.session = session
        self._spending = spending
        self._is_over = False
        #: The items to send to the model; `add` puts its items here as well.
        self.input: list[TResponseInputItem] = shown

    async def add(self, items: Iterable[object], *, usage: object = None) -> None:
        """Store what the model or a tool gave: dicts, or objects of the `openai` client.

        usage: what it has cost, such as `response.usage`.

        Raises `LeaseLost` if the turn is over, or another run has taken over.
        """
        cost = usage_in(usage)
        payloads = encode_all(items)
        self._spending.add(cost)  # it is spent, also if it can't be stored
        if self._is_over:
            raise LeaseLost(Log(self.session.conversation_id or ""))
        added = [decode(payload) for payload in payloads]
        await self.session.add_items(added)
        self.input += added

    async def end(self) -> None:
        """Raises `NotSupported`: that a turn is over without an answer can't be stored."""
        refuse("marks of turns", "store an answer, which ends the turn")

    def left(self) -> None:
        """The block was left: nothing can be added any more."""
        self._is_over = True


def check_possible(policy: Policy, key: str | None) -> None:
    """Raise `NotSupported` for what a turn on a conversation at OpenAI can't have."""
    if policy == "branch":
        refuse("branches", "use the policy 'queue', 'reject' or 'off'")
    if key is not None:
        refuse("run keys", "leave the key out, or use a stored session; add_items takes a key")


#: The turns that the running task belongs to.
_within: ContextStack[Turns] = ContextStack("turnlog_turns_elsewhere")
