"""Waiting for a lease: when a claim has expired, who is first, and when to look again."""

from __future__ import annotations

import asyncio
import time
from random import uniform

from turnlog.conversation.turns.claims import RENEWALS, Claim
from turnlog.loops.processes import is_gone

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
        self._claim = _Renewals()
        self._first = _Watched(self._absent / 4)
        self._looks = 0

    def saw(self, claim: Claim | None) -> None:
        """Take in a look at the lease. After a change, the next pauses are short again."""
        if self._claim.saw(claim):
            self._looks = 0

    def has_expired(self, claim: Claim) -> bool:
        """Whether `claim`, which was seen last, has expired.

        It has when the process of its holder is known to be gone, when this run has seen that
        all its renewals were missed, or when the wall clock is past its end by as much again.
        So a wall clock that is wrong by less than a lease lasts takes the lease from nobody, and
        a run that looks once is not kept out for ever.
        """
        past = time.time() - claim.until - self._claim.unwatched
        return is_gone(claim.process) or self._claim.missed >= RENEWALS or past > claim.seconds

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


class _Renewals:
    """The renewals of a claim that were missed.

    Each is seen missing by a look of its own. So a run that stood still itself, perhaps together
    with the holder, doesn't take the lease when it goes on: the holder has time to renew it.
    """

    def __init__(self) -> None:
        #: How many in a row.
        self.missed = 0
        #: The seconds, by the wall clock, in which this run stood still and did not look.
        self.unwatched = 0.0
        self._position = 0
        self._since = 0.0  # monotonic; when the claim, or the last missed renewal, was seen
        self._looked_at = 0.0  # wall clock

    def saw(self, claim: Claim | None) -> bool:
        """Take in a look; whether the claim is another one than before."""
        position = claim.position if claim else 0
        is_other = position != self._position
        if is_other or claim is None:
            self._position, self._since = position, time.monotonic()
            self.missed, self.unwatched = 0, 0.0
        else:
            self._saw_again(claim)
        self._looked_at = time.time()
        return is_other

    def _saw_again(self, claim: Claim) -> None:
        pause = time.time() - self._looked_at
        if pause > claim.interval:
            self.unwatched += pause
        if time.monotonic() - self._since >= claim.interval:
            self.missed += 1
            self._since = time.monotonic()


class _Watched:
    """A position, and for how long it was watched without a change.

    Of the time between two looks, only `most` seconds count. So a run that stood still itself,
    perhaps together with the run that is first, doesn't take that one for dead.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._position = 0
        self._watched = 0.0
        self._looked_at = 0.0

    def seconds(self, position: int) -> float:
        """For how many seconds `position`, which is seen now, was watched."""
        now = time.monotonic()
        if position == self._position:
            self._watched += min(now - self._looked_at, self._most)
        else:
            self._position, self._watched = position, 0.0
        self._looked_at = now
        return self._watched
