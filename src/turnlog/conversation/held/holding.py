"""Holding a session for another library's runner: `async with session.held(…) as held`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from turnlog.conversation.held.block import Block
from turnlog.conversation.held.current import inside_block
from turnlog.conversation.held.stored import StoredBlock
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.turns.beginning import first_to_queue
from turnlog.conversation.turns.current import inside, joinable_turn_on
from turnlog.conversation.turns.duration import check_busy_timeout, check_lease_seconds
from turnlog.conversation.turns.forking import Forkable, taken
from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.conversation.turns.policy import Policy, check_policy
from turnlog.conversation.turns.reporting import Wait
from turnlog.conversation.turns.run_key import (
    Progress,
    RunKey,
    check_keyed_policy,
    check_no_key_inside,
)
from turnlog.items.given import check_key
from turnlog.items.json import Item
from turnlog.items.text import joined_text, refusal_in
from turnlog.loops.finishing import finished
from turnlog.loops.termination import ended_by_sigterm
from turnlog.records import Log

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Held", "Holding", "StoredHolding", "check_held"]

S = TypeVar("S")


class Arriving(Forkable, Protocol):
    """A session on a branch, which may be moved to another one when it is used."""

    async def _arrived(self) -> Log:
        """The log that it stands on."""
        ...


F = TypeVar("F", bound=Arriving)


class Held(Generic[S]):
    """A session that is held, from `session.held(…)`.

    session: the session to use; with the policy "branch" it may be on a branch of its own.
    answer: what was stored behind the question when the block was entered earlier with the same
        key, and has ended; None if there is no answer yet.
    """

    def __init__(self, session: S, answer: list[Item] | None = None) -> None:
        self.session = session
        self.answer = answer

    @property
    def is_replay(self) -> bool:
        """Whether the key was answered before: then there is nothing to do."""
        return self.answer is not None

    @property
    def text(self) -> str:
        """The text of the last message in `answer`; "" if there is none."""
        said = [item for item in self.answer or () if item.get("role") == "assistant"]
        content = said[-1].get("content") if said else None
        return joined_text(content) or refusal_in(content)


class Holding(ABC, Generic[S]):
    """A block in which a session is held; the result of `session.held(…)`.

    `async with` does these four steps. `take` and `release` wait and may run in any task;
    `enter` and `leave` concern the context of those who use the session.
    """

    async def __aenter__(self) -> Held[S]:
        held = await self.take()
        self.enter()
        return held

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()
        await self.release(error)

    @abstractmethod
    async def take(self) -> Held[S]:
        """Wait for the lease and take it, unless the key was answered before."""

    @abstractmethod
    def enter(self) -> None:
        """From now on, what the running task does with the session belongs to the block."""

    @abstractmethod
    def leave(self) -> None:
        """From now on, it doesn't."""

    @abstractmethod
    async def release(self, error: BaseException | None) -> None:
        """Give the lease back, after `leave`; without an `error`, the answer gets the key."""


class StoredHolding(Holding[F]):
    """The same for a session on a store."""

    def __init__(
        self,
        session: F,
        policy: Policy,
        key: str | None,
        seconds: float | None,
        busy_timeout: float | None,
    ) -> None:
        check_held(policy, key, seconds, busy_timeout)
        self._session = session
        self._seconds = session.lease_seconds if seconds is None else seconds
        self._busy_timeout = busy_timeout
        self._inside, self._ending = ExitStack(), ExitStack()
        self._policy, self._name = policy, key
        self._turn: OpenTurn | None = None
        self._block: Block | None = None

    async def take(self) -> Held[F]:
        self._check_unused()
        log = await self._session._arrived()  # noqa: SLF001 - not for users
        around = joinable_turn_on(self._session.store, log)
        if around is not None:
            check_no_key_inside(self._name)
            around.join()
            self._turn = around
            return Held(self._session)
        wait = Wait(self._session.store.identity, log, self._busy_timeout)
        self._ending.enter_context(ended_by_sigterm(self._given_back))
        try:
            async with first_to_queue(self._session, self._policy, wait):
                return await self._taken(log, wait)
        except BaseException:
            self._ending.close()
            raise

    def enter(self) -> None:
        if self._block is not None:
            self._inside.enter_context(inside_block(self._block))
        if self._turn is not None:
            self._inside.enter_context(inside(self._turn))

    def leave(self) -> None:
        self._inside.close()

    async def release(self, error: BaseException | None) -> None:
        with self._ending:
            await self._released(error)

    async def _released(self, error: BaseException | None) -> None:
        turn, block = self._turn, self._block
        if turn is None:
            self._end()
            return
        try:
            if error is None and isinstance(block, StoredBlock):
                await finished(block.finish())
        finally:
            self._end()
            await turn.leave()

    def _end(self) -> None:
        if self._block is not None:
            self._block.has_ended = True

    def _check_unused(self) -> None:
        if self._turn is not None or self._block is not None:
            raise RuntimeError("this held block was entered before: call session.held(…) for each")

    async def _taken(self, log: Log, wait: Wait) -> Held[F]:
        """The session, held; or the answer under the key."""
        progress = await self._progress(log, None)
        if progress is None or progress.answer is None:
            await self._take_lease(log, wait)
            try:
                progress = await self._progress(log, progress)
            except BaseException:
                await finished(self._given_back())
                raise
        if progress is not None and progress.answer is not None:
            await finished(self._given_back())
        self._block = self._block_on(log, progress)
        return Held(self._session, None if progress is None else progress.answer)

    def _block_on(self, log: Log, progress: Progress | None) -> Block:
        store, turn = self._session.store, self._turn
        if turn is None:
            return Block(store, log)
        turn.join()
        return StoredBlock(LogReader(store, turn.log), turn, progress)

    async def _progress(self, log: Log, earlier: Progress | None) -> Progress | None:
        """How far earlier starts have come; None without a key.

        earlier: what was known of it before the lease was taken.
        """
        if self._name is None:
            return None
        key = earlier.key if earlier else RunKey.named(log, self._name)
        return await key.progress(self._session.store, holds_lease=earlier is not None)

    async def _take_lease(self, log: Log, wait: Wait) -> None:
        in_order = self._policy == "queue"
        turn = OpenTurn(self._session.store, log, seconds=self._seconds, in_order=in_order)
        self._session, self._turn = await taken(self._session, turn, self._policy, wait)

    async def _given_back(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            await turn.give_back()


def check_held(
    policy: Policy, key: object, seconds: float | None, busy_timeout: float | None
) -> None:
    """Raise `ValueError` or `TypeError` for what makes no sense."""
    check_policy(policy)
    check_lease_seconds(seconds)
    check_busy_timeout(busy_timeout)
    if policy == "off":
        raise ValueError(
            "held(policy='off') would hold nothing: leave the block out, or use 'queue', 'reject' "
            "or 'branch'"
        )
    if key is not None:
        check_key(key)
    check_keyed_policy(key, policy)
