"""The blocking twin of a stored session: every method of it as a call that waits."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Unpack, overload

from turnlog.conversation import session as awaitable
from turnlog.conversation.about import About, Changes
from turnlog.conversation.branches.diff import Difference
from turnlog.conversation.branches.forks import Branch
from turnlog.conversation.branches.positions import Position
from turnlog.conversation.compaction.policy import Compaction
from turnlog.conversation.compaction.summariser import Summariser
from turnlog.conversation.reading.explain import Explanation
from turnlog.conversation.settings import SettingsLike
from turnlog.conversation.summaries.outcome import CompactionResult
from turnlog.conversation.totals import Branches, By
from turnlog.conversation.turn_lists import TurnInfo
from turnlog.conversation.turns.policy import Policy
from turnlog.conversation.usage.usage import Usage
from turnlog.items.json import TResponseInputItem
from turnlog.items.merge import SessionInputCallback
from turnlog.items.repair import Interrupted
from turnlog.store import Store
from turnlog.sync.blocks import WithBlock
from turnlog.sync.loop import run
from turnlog.sync.sdk_names import BlockingAdvancedNames
from turnlog.sync.store import BlockingStore
from turnlog.sync.turns import BlockingHeld, BlockingTurn

if TYPE_CHECKING:
    from typing import Literal, Self

__all__ = ["BlockingStoredSession", "StoredSession"]


class BlockingStoredSession(BlockingAdvancedNames):
    """A `StoredSession`, with methods that wait. Each does what the method of that name does.

    session: the session itself.
    """

    session: awaitable.StoredSession

    def __init__(self, session: awaitable.StoredSession) -> None:
        super().__init__(session)

    @property
    def store(self) -> BlockingStore:
        """The store of the conversation, with methods that wait."""
        return BlockingStore(self.session.store)

    @property
    def branch(self) -> str:
        """The branch that the session stands on. Assigning moves it; `switch_to` looks first."""
        return self.session.branch

    @branch.setter
    def branch(self, value: str) -> None:
        self.session.branch = value

    @property
    def lease_seconds(self) -> float | None:
        """The seconds that leases of its runs last; None: the default. Assigning takes effect."""
        return self.session.lease_seconds

    @lease_seconds.setter
    def lease_seconds(self, value: float | None) -> None:
        self.session.lease_seconds = value

    @property
    def closed(self) -> bool:
        """Whether the session was closed."""
        return self.session.closed

    @property
    def unreadable(self) -> set[int]:
        """Positions of records that reads left out because they can't be decoded."""
        return self.session.unreadable

    def add_items(
        self, items: Iterable[object], *, key: str | None = None, strict: bool = True
    ) -> None:
        """Append `items`, in order, all of them or none; once, however often with this `key`."""
        lenient = {} if strict else {"strict": False}  # a subclass may not have it
        run(self.session.add_items, items, key=key, **lenient)

    def view(
        self,
        limit: int | None = None,
        *,
        settings: SettingsLike = None,
        interrupted: Interrupted = "mark",
    ) -> list[TResponseInputItem]:
        """The items that a model may be shown: the newest turns, repaired."""
        return run(self.session.view, limit, settings=settings, interrupted=interrupted)

    def explain(
        self, settings: SettingsLike = None, *, interrupted: Interrupted = "mark"
    ) -> Explanation:
        """The view with its reasons: what is done with each stored record, and why."""
        return run(self.session.explain, settings, interrupted=interrupted)

    def history(self) -> list[TResponseInputItem]:
        """All items of this branch, oldest first, also those that a summary covers."""
        return run(self.session.history)

    def turn(
        self,
        new: str | Iterable[object],
        *,
        policy: Policy = "queue",
        settings: SettingsLike = None,
        callback: SessionInputCallback | None = None,
        lease_seconds: float | None = None,
        busy_timeout: float | None = None,
        key: str | None = None,
        usage: object = None,
        compaction: Compaction | None = None,
    ) -> AbstractContextManager[BlockingTurn[Self]]:
        """Hold the session for one turn of a loop of your own; see `StoredSession.turn`.

            with session.turn("What's my name?") as turn:
                response = client.responses.create(model="gpt-5-mini", input=turn.input)
                turn.add(response.output)

        Within the block, this thread is inside of the turn, and so are threads that it starts
        with a copy of its context; to others the session is busy.
        """
        turn = self.session.turn(
            new,
            policy=policy,
            settings=settings,
            callback=callback,
            lease_seconds=lease_seconds,
            busy_timeout=busy_timeout,
            key=key,
            usage=usage,
            compaction=compaction,
        )
        return WithBlock(turn, lambda turn: BlockingTurn(turn, self._twin(turn.session)))

    def held(
        self,
        policy: Policy = "queue",
        key: str | None = None,
        lease_seconds: float | None = None,
        busy_timeout: float | None = None,
    ) -> AbstractContextManager[BlockingHeld[Self]]:
        """Hold the session for a runner of another library; see `StoredSession.held`.

            with session.held(key=request_id) as held:
                if held.is_replay:
                    return held.text
                return Runner.run_sync(agent, question, session=held.session.session).final_output

        Within the block, this thread is inside of it, as in `turn`. A runner that takes awaited
        sessions gets `held.session.session`.
        """
        held = self.session.held(policy, key, lease_seconds, busy_timeout)
        return WithBlock(held, lambda held: BlockingHeld(held, self._twin(held.session)))

    # Compaction

    def compact(
        self, summarise: Summariser | None = None, *, keep: int = 2, dry_run: bool = False
    ) -> CompactionResult | None:
        """Show the older turns as a summary from now on. Their records stay."""
        return run(self.session.compact, summarise, keep=keep, dry_run=dry_run)

    def drop_summary(self) -> bool:
        """Undo the newest compaction; returns whether there was one."""
        return run(self.session.drop_summary)

    # Branches

    def fork(self, name: str | None = None, *, at: int | Position | None = None) -> Self:
        """A twin on a new branch that begins as a copy of this one."""
        return self._twin(run(self.session.fork, name, at=at))

    def branches(self) -> list[Branch]:
        """The branches of the conversation."""
        return run(self.session.branches)

    def switch_to(self, name: str) -> None:
        """Move this session to the branch `name`."""
        run(self.session.switch_to, name)

    def delete_branch(self, name: str, force: bool = False) -> None:
        """Delete the branch `name` with all that belongs to it."""
        run(self.session.delete_branch, name, force)

    def rewind(
        self,
        *,
        turn: int | None = None,
        turns: int | None = None,
        position: int | Position | None = None,
        keep_as: str | None = None,
    ) -> int:
        """Drop the newest part of the branch, in one step; returns how many items went."""
        return run(self.session.rewind, turn=turn, turns=turns, position=position, keep_as=keep_as)

    def edit(self, position: int, item: object, name: str | None = None) -> Self:
        """A twin on a fork that ends before `position`, with `item` behind it."""
        return self._twin(run(self.session.edit, position, item, name))

    def diff(self, other: str | BlockingStoredSession | awaitable.StoredSession) -> Difference:
        """The difference to another branch: where they part, and what comes behind that."""
        return run(
            self.session.diff, other.session if isinstance(other, BlockingStoredSession) else other
        )

    # Turns and usage

    def turns(self, limit: int | None = None, before: int | None = None) -> list[TurnInfo]:
        """The newest `limit` turns with a number below `before`, oldest first."""
        return run(self.session.turns, limit, before)

    def store_run_usage(self, result: object) -> None:
        """Record what a run has spent: the result of our Runner or of the SDK's."""
        run(self.session.store_run_usage, result)

    @overload
    def usage(
        self, by: None = None, *, branches: Branches = "this", turns: int | None = None
    ) -> Usage: ...

    @overload
    def usage(
        self, by: Literal["turn"], *, branches: Branches = "this", turns: int | None = None
    ) -> dict[int | None, Usage]: ...

    @overload
    def usage(
        self,
        by: Literal["run", "agent", "model"],
        *,
        branches: Branches = "this",
        turns: int | None = None,
    ) -> dict[str, Usage]: ...

    def usage(
        self, by: By | None = None, *, branches: Branches = "this", turns: int | None = None
    ) -> Usage | dict[int | None, Usage] | dict[str, Usage]:
        """The usage of the runs on this branch, or on all branches."""
        totals: Any = self.session.usage  # whose overloads have no common form
        return run(totals, by, branches=branches, turns=turns)  # type: ignore[no-any-return]

    # The conversation

    def about(self) -> About:
        """Title, tags, owner, and whether it is archived or on hold."""
        return run(self.session.about)

    def describe(self, **changes: Unpack[Changes]) -> About:
        """Change some of it, and leave the rest as it is."""
        return run(self.session.describe, **changes)

    def _twin(self, session: Any) -> Self:
        """The twin of a session of the same class, such as a fork."""
        if session is self.session:
            return self
        twin = copy.copy(self)
        twin.session = session
        return twin


class StoredSession(BlockingStoredSession):
    """The blocking twin of `turnlog.StoredSession`, with the same parameters.

    store: what `turnlog.sync.open_store` or `turnlog.open_store` gives; it stays yours.
    """

    def __init__(
        self,
        session_id: str,
        store: Store | BlockingStore,
        *,
        branch: str = "main",
        session_settings: SettingsLike = None,
        lease_seconds: float | None = None,
    ) -> None:
        inner = store.store if isinstance(store, BlockingStore) else store
        session = awaitable.StoredSession(
            session_id,
            inner,
            branch=branch,
            session_settings=session_settings,
            lease_seconds=lease_seconds,
        )
        super().__init__(session)
