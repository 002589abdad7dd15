"""Waiting for a lease: when a claim has expired, whose turn it is, and when to look again."""

from __future__ import annotations

import asyncio
import time
from random import uniform

from turnlog.conversation.turns.lease_log import Claim, LeaseState

__all__ = ["Watch"]

# How long one that waits sleeps before it looks again, in seconds: at first, and later.
_SOON, _LATER = 0.005, 0.1

# How long the first of those who wait may leave a free lease untaken, in seconds. Then its
# process is taken for dead, and its ticket removed.
_ABSENT = 2.0


class Watch:
    """What a run has seen of a lease that it waits for, by its own monotonic clock.

    seconds: how long a lease lasts. Where that is next to nothing, the dead are given up sooner.
    """

    def __init__(self, seconds: float) -> None:
        self._absent = min(_ABSENT, 4 * seconds)
        self._claim = _Seen()
        self._first = _Seen()
        self._looks = 0

    def has_expired(self, claim: Claim) -> bool:
        """Whether `claim`, the newest, is over.

        It is when it was seen unchanged for its whole time; or when the wall clock is past
        its end by as much again. So a wall clock that is off by less than a lease lasts
        takes the lease from nobody, and a run that looks only once is not kept out for ever.
        """
        unchanged = self._claim.seconds(claim.position)
        return unchanged > claim.seconds or time.time() > claim.until + claim.seconds

    def is_absent(self, state: LeaseState) -> bool:
        """Whether the first of those who wait has left the lease untaken for too long.

        To be asked at each look: it measures since the lease is free and this one is first.
        """
        is_free = state.claim is None or self.has_expired(state.claim)
        first = state.tickets[0].position if is_free and state.tickets else 0
        return self._first.seconds(first) > self._absent and first > 0

    async def pause(self) -> None:
        """Let some time pass before the next look: little after a change, then more."""
        delay = min(_LATER, _SOON * 1.5 ** min(self._looks, 20))
        self._looks += 1
        await asyncio.sleep(uniform(delay / 2, delay))  # noqa: S311 - so that no two keep step

    def saw(self, state: LeaseState) -> None:
        """Something may have changed since the last look: then the next comes soon."""
        claim = state.claim.position if state.claim else 0
        if self._claim.is_other(claim):
            self._looks = 0
        self._claim.seconds(claim)


class _Seen:
    """A position, and since when it is the same."""

    def __init__(self) -> None:
        self._position = 0
        self._since = 0.0

    def is_other(self, position: int) -> bool:
        return position != self._position

    def seconds(self, position: int) -> float:
        """For how long `position` has been seen."""
        if self.is_other(position):
            self._position, self._since = position, time.monotonic()
        return time.monotonic() - self._since
