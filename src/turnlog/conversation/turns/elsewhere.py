"""Turns of sessions whose items are not in a store: they begin the turns of a run themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from turnlog.conversation.turns.policy import Policy
from turnlog.conversation.usage.spending import Spending
from turnlog.items.json import Item
from turnlog.items.merge import Merged

__all__ = ["BeginsTurns", "ReadView"]

#: Reads a session and merges it with the new input. Any: it is the session that it is given.
ReadView = Callable[[Any], Awaitable[Merged]]


class BeginsTurns(ABC):
    """A session that begins the turns of a run itself."""

    @abstractmethod
    def run_begun(
        self,
        view: ReadView,
        policy: Policy,
        *,
        seconds: float | None,
        busy_timeout: float | None,
        key: str | None,
        spending: Spending,
    ) -> AbstractAsyncContextManager[list[Item]]:
        """Begin a turn: read the view and store what is new; gives what the model is shown.

        policy: what to do when another run is under way.
        seconds: how long a lease lasts; None for the default.
        busy_timeout: for how many seconds it waits for another run; None for no bound.
        key: of the run, if it has one.
        spending: what the run spends until the end of the turn.
        """
