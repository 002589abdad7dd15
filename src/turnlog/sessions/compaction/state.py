"""What a compaction session knows of itself beside its settings."""

from __future__ import annotations

import asyncio
from typing import Any

from turnlog.sessions.compaction.modes import Chain

__all__ = ["State"]


class State:
    """The responses of the model, and the changes that were made through the session.

    generation: how often the items have changed. A Runner compares it.
    """

    def __init__(self) -> None:
        self.chain = Chain()
        self.lock = asyncio.Lock()
        self.generation = 0

    def added(self) -> None:
        """Items were added."""
        self.chain.added()
        self.generation += 1

    def removed(self) -> None:
        """Items were removed."""
        self.chain.forget()
        self.generation += 1

    def replaced(self, run: Any) -> None:
        """A replacement is certainly committed, for the run with the context `run`."""
        self.chain.deferred = None
        if run is not None:
            run._session_compaction_completed = True  # noqa: SLF001 - the SDK's Runner reads it
