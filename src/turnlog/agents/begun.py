"""The beginning of a run: the turn that it holds on its session, and what the model is shown."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from turnlog.agents.config import RunConfig
from turnlog.conversation.session import Session, StoredSession
from turnlog.conversation.turns.beginning import Begun, View, turn_begun
from turnlog.conversation.turns.elsewhere import BeginsTurns
from turnlog.conversation.turns.run_key import RunKey
from turnlog.conversation.usage.spending import Spending
from turnlog.items.json import Item

__all__ = ["turn_on"]


@asynccontextmanager
async def turn_on(
    session: Session | None,
    view: View[Session | None],
    config: RunConfig,
    new: list[Item],
    spending: Spending,
) -> AsyncIterator[Begun[Session | None]]:
    """Begin a turn. Within, no other run writes to the session, if leases work on its kind."""
    if isinstance(session, StoredSession):
        policy, seconds = config.session_policy, config.lease_seconds
        log = await session._arrived()  # noqa: SLF001 - not for users
        key = None if config.key is None else RunKey.of(log, config.key, new)
        bound = config.busy_timeout
        async with turn_begun(
            session, view, policy, seconds=seconds, busy_timeout=bound, key=key
        ) as begun:
            yield begun
        return
    begins: object = session
    if isinstance(begins, BeginsTurns):
        async with begins.run_begun(
            view,
            config.session_policy,
            seconds=config.lease_seconds,
            busy_timeout=config.busy_timeout,
            key=config.key,
            spending=spending,
        ) as shown:
            yield Begun(session, shown)
        return
    if config.key is not None:
        raise ValueError(
            "a run with a key needs a session of Turnlog, which remembers the key: write "
            'session=SQLiteSession(session_id, "conversations.db")'
        )
    merged = await view(session)
    if session is not None and merged.fresh:
        # A session that isn't ours may keep the very objects that it is given.
        await session.add_items(copy.deepcopy(merged.fresh))
    yield Begun(session, merged.shown)
