"""`OpenAIConversationsSession` as a blocking twin, with the same constructor."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Unpack

from turnlog.conversation.about import About, Changes
from turnlog.conversation.protocol import Session
from turnlog.conversation.settings import SettingsLike
from turnlog.conversation.turns.policy import Policy
from turnlog.conversation.usage.usage import Usage
from turnlog.items.json import TResponseInputItem
from turnlog.items.merge import SessionInputCallback
from turnlog.items.repair import Interrupted
from turnlog.sessions import openai_conversations
from turnlog.sessions.conversations.client import AsyncOpenAI
from turnlog.sessions.conversations.retrying import PATIENCE
from turnlog.store import Store
from turnlog.sync.blocks import WithBlock
from turnlog.sync.holdable import BlockingHoldable
from turnlog.sync.loop import run
from turnlog.sync.refusals import BlockingRefusals
from turnlog.sync.session import BlockingSession, awaited
from turnlog.sync.store import BlockingStore
from turnlog.sync.turns import BlockingTurn

if TYPE_CHECKING:
    from typing import Self

__all__ = ["OpenAIConversationsSession"]


class OpenAIConversationsSession(BlockingRefusals, BlockingHoldable, BlockingSession):
    """An `OpenAIConversationsSession`, with methods that wait. The parameters are the same.

    All blocking twins use one event loop, so they can share a client.
    """

    session: openai_conversations.OpenAIConversationsSession

    def __init__(
        self,
        conversation_id: str | None = None,
        client: AsyncOpenAI | None = None,
        *,
        openai_client: AsyncOpenAI | None = None,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
        store: Store | BlockingStore | None = None,
        patience: float = PATIENCE,
    ) -> None:
        session = openai_conversations.OpenAIConversationsSession(
            conversation_id,
            client,
            openai_client=openai_client,
            session_settings=session_settings,
            settings=settings,
            store=store.store if isinstance(store, BlockingStore) else store,
            patience=patience,
        )
        super().__init__(session)

    @property
    def conversation_id(self) -> str | None:
        """The id of the conversation; None before it is created."""
        return self.session.conversation_id

    @property
    def store(self) -> BlockingStore | None:
        """The store of leases, usage and the progress of writes, if it was given."""
        return None if self.session.store is None else BlockingStore(self.session.store)

    def add_items(self, items: Iterable[object], *, key: str | None = None) -> None:
        """Append `items`, in order; once, however often with this `key`."""
        run(self.session.add_items, items, key=key)

    def clear_session(self, *, erase: bool = False) -> None:
        """Delete the conversation; with `erase` its items first."""
        run(self.session.clear_session, erase=erase)

    def view(
        self,
        limit: int | None = None,
        *,
        settings: SettingsLike = None,
        interrupted: Interrupted = "mark",
    ) -> list[TResponseInputItem]:
        """The items that a model may be shown: the newest turns, repaired."""
        return run(self.session.view, limit, settings=settings, interrupted=interrupted)

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
        compaction: object = None,
    ) -> AbstractContextManager[BlockingTurn[Self]]:
        """Hold the session for one turn of a loop of your own.

        As `turnlog.OpenAIConversationsSession.turn` does, in a `with` block.
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
        return WithBlock(turn, lambda turn: BlockingTurn(turn, self))

    def about(self) -> About:
        """Title, tags, owner, and whether it is archived or on hold."""
        return run(self.session.about)

    def describe(self, **changes: Unpack[Changes]) -> About:
        """Change some of it, and leave the rest as it is."""
        return run(self.session.describe, **changes)

    def usage(self, by: Any = None, **narrower: Any) -> Usage | dict[str, Usage]:
        """The usage of the runs of Turnlog on this conversation; it is in the store."""
        return run(self.session.usage, by, **narrower)

    def history(self) -> list[TResponseInputItem]:
        """All items, oldest first, whatever `session_settings` say."""
        return run(self.session.history)

    def copy_to(self, session: Session | BlockingSession) -> int:
        """Add all items to another session; returns how many that were."""
        return run(self.session.copy_to, awaited(session))

    def copy_from(self, session: Session | BlockingSession) -> int:
        """Add all items of another session; returns how many that were."""
        return run(self.session.copy_from, awaited(session))
