"""Holding a session without a store of its own, such as a wrapped one, in a `with` block."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from turnlog.conversation.turns.policy import Policy
from turnlog.sync.blocks import WithBlock
from turnlog.sync.turns import BlockingHeld

if TYPE_CHECKING:
    from typing import Self

__all__ = ["BlockingHoldable"]


class BlockingHoldable:
    """The blocking twin of a session that has `held`."""

    session: Any

    def held(
        self,
        policy: Policy = "queue",
        key: str | None = None,
        lease_seconds: float | None = None,
        busy_timeout: float | None = None,
    ) -> AbstractContextManager[BlockingHeld[Self]]:
        """Hold the session for a runner of another library; see `StoredSession.held`."""
        held = self.session.held(policy, key, lease_seconds, busy_timeout)
        return WithBlock(held, lambda held: BlockingHeld(held, self))
