"""Waiting for a lease: when a claim has expired, who is first, and when to look again."""

from __future__ import annotations

import asyncio
import time
from random import uniform

from turnlog.conversation.turns.claims import Claim

__all__ = ["Watch"]

# The seconds that a waiting run sleeps between two looks: at first, and at most.
_FIRST_DELAY, _LAST_DELAY = 0.005, 0.1

# If the run that is first leaves a free lease untaken for so many seconds, its process is
# believed dead, and the others remove its ticket.
_ABSENT = 2.0


class Watch:
    """A waiting run's observations of a lease, timed by its own monotonic clock.

    seconds: how long a lease lasts. If that is very short, dead runs are given up sooner.
    """

    def __init__(self, seconds: float) -> None:
        self._absent = min(_ABSENT, 4 * seconds)
        self._claim = _Seen()
        self._first = _Seen()
        self._looks = 0

    def has_expired(self, claim: Claim) -> bool:
        """Whether `claim`, the newest one, has expired.

        It has when this run has seen it unchanged for its whole time, or when the wall clock
        is past its end by as much again. So a wall clock that is wrong by less than a lease
        lasts takes the lease from nobody, and a run that looks once is not kept out for ever.
        """
        unchanged = self._claim.seconds(claim.position)
        return unchanged > claim.seconds or time.time() > claim.until + claim.seconds

    def is_absent(self, first: int) -> bool:
        """Whether the run that is first has left the free lease untaken for too long.

        first: the position of its ticket; 0 if the lease is not free. Ask it after each look: it
            measures the time since the first look that found the lease free and this run first.
        """
        return self._first.seconds(first) > self._absent and first > 0

    async def pause(self) -> None:
        """Sleep before the next look: shortly after a change, then longer each time."""
        delay = min(_LAST_DELAY, _FIRST_DELAY * 1.5 ** min(self._looks, 20))
        self._looks += 1
        await asyncio.sleep(uniform(delay / 2, delay))  # noqa: S311 - so that runs don't all look at once

    def saw(self, claim: Claim | None) -> None:
        """Take in a look at the lease. After a change, the next pauses are short again."""
        position = claim.position if claim else 0
        if self._claim.is_other(position):
            self._looks = 0
        self._claim.seconds(position)


class _Seen:
    """A position, and since when it has been the same."""

    def __init__(self) -> None:
        self._position = 0
        self._since = 0.0

    def is_other(self, position: int) -> bool:
        return position != self._position

    def seconds(self, position: int) -> float:
        """For how many seconds `position` has been the one that is seen."""
        if self.is_other(position):
            self._position, self._since = position, time.monotonic()
        return time.monotonic() - self._since
