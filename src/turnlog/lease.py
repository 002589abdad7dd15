"""The right to run one turn on a log, held by one run at a time.

A lease is a log of its own beside the one that it guards: empty when free. It is
taken, renewed and given back by appending and removing with `expect`, so it works
on every store, across tasks, threads, processes and machines, and never grows.

Its holder says until when it lasts, and renews it long before. So it is free again
when the holder has died. That moment is told by the clock; and by seeing the lease
unchanged for as long as it lasts, where clocks differ.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from random import uniform
from typing import Literal, NamedTuple, TypeAlias
from uuid import uuid4

from turnlog.errors import Conflict, LeaseLost
from turnlog.items import decode, encode
from turnlog.loops import finished
from turnlog.store import Log, Record, Store

__all__ = ["LEASE_SECONDS", "Lease", "Policy", "check_seconds"]

#: What a run does when another one is under way on its session: wait for its end, raise
#: `SessionBusy`, go on with a copy of the conversation, or take no notice.
Policy: TypeAlias = Literal["queue", "reject", "branch", "off"]

#: How long a dead holder keeps others waiting, at most.
LEASE_SECONDS = 30.0

# How long one that waits sleeps before it looks again, in seconds: at first, and later.
_SOON, _LATER = 0.005, 0.1

_logger = logging.getLogger(__name__)


def check_seconds(seconds: float) -> None:
    """Raise `ValueError` for a time that no lease can last."""
    if not 0 < seconds < float("inf"):
        raise ValueError(f"a lease lasts for some seconds, not for {seconds}")


class Lease:
    """The right to run one turn on `log`.

    seconds: how long it lasts without being renewed; it is renewed at a third of that,
        for as long as the event loop that took it turns.
    """

    def __init__(self, store: Store, log: Log, *, seconds: float = LEASE_SECONDS) -> None:
        check_seconds(seconds)
        #: Names this lease among all others.
        self.holder = uuid4().hex
        self._store = store
        self._guarded = log
        self._log = log.beside("lease")
        self._seconds = seconds
        self._is_open = False
        self._position = 0  # of the claim by which it is held; 0 when it isn't
        self._until = 0.0  # by time.monotonic
        self._watch = _Watch()
        self._has_looked = False
        self._alarm: asyncio.TimerHandle | None = None
        self._renewal: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was taken and not given back. It may be lost all the same."""
        return self._is_open

    async def take(self) -> str | None:
        """Take the lease, if it is free or has expired.

        Returns None, or the `holder` of the lease that is in the way.
        """
        expired = 0
        # It is mostly free: so the first look comes when that turns out to be wrong.
        if self._has_looked:
            found = await self._newest()
            if found is not None and not self._watch.has_expired(found):
                return found.holder
            expired = found.position if found else 0
        try:
            await self._claim(expired)
        except Conflict:
            return await self._in_the_way()
        except BaseException:
            # It may have been taken, and nobody is left to hold it. If this fails as well,
            # the lease ends by itself, and the first error is the one to tell.
            with suppress(Exception):
                await finished(self._withdraw())
            raise
        self._is_open = True
        self._wind()
        return None

    async def _in_the_way(self) -> str | None:
        """Who has the lease that was believed to be free."""
        if self._has_looked:
            return await self._holder()  # somebody was quicker
        self._has_looked = True
        return await self.take()

    async def pause(self) -> None:
        """Let some time pass before the next try: little at first, then more."""
        delay = min(_LATER, _SOON * 1.5 ** min(self._watch.looks, 20))
        await asyncio.sleep(uniform(delay / 2, delay))  # noqa: S311 - so that no two keep step

    async def check(self) -> None:
        """Raise `LeaseLost` unless the lease is held. Free of cost while it can't have expired."""
        if not self._position:
            raise LeaseLost(self._guarded)
        if time.monotonic() >= self._until:
            await self.renew()

    async def renew(self) -> None:
        """Hold the lease for another while. Raises `LeaseLost` if somebody else took it."""
        expected = self._position
        try:
            await self._claim(expected)
        except Conflict:
            if await self._holder() != self.holder:
                self._stop()
                raise LeaseLost(self._guarded) from None
            # Another task renewed it meanwhile, or an earlier claim's answer was lost.

    async def take_again(self) -> None:
        """Hold the lease on after its holder cleared the session, and the lease with it."""
        try:
            await self._claim(0)
        except Conflict:
            self._stop()
            raise LeaseLost(self._guarded) from None

    async def give_back(self) -> None:
        """Make the lease free again. One that was lost is nobody's to give back."""
        position = self._position
        self._is_open = False
        self._stop()
        while position:
            try:
                await self._store.remove(self._log, expect=position)
            except Conflict:
                # A renewal that was under way has moved it; or it is somebody else's by now.
                found = await self._newest()
                position = found.position if found and found.holder == self.holder else 0
            else:
                return

    async def _claim(self, expect: int) -> None:
        """Write a claim, on condition that the one at `expect` is still the newest."""
        begun = time.monotonic()
        claim = {
            "holder": self.holder,
            "seconds": self._seconds,
            "until": time.time() + self._seconds,
        }
        self._position = await self._store.append(self._log, [encode(claim)], expect=expect)
        self._until = begun + self._seconds
        if expect:
            await self._store.remove(self._log, before=self._position)

    async def _newest(self) -> _Claim | None:
        records = await self._store.read(self._log, limit=1)
        return _claim_in(records[0], self._seconds) if records else None

    async def _holder(self) -> str:
        """Whose claim is the newest; "" when there is none. If it is ours, it is held."""
        found = await self._newest()
        if found is not None and found.holder == self.holder:
            self._position = found.position
        return found.holder if found else ""

    async def _withdraw(self) -> None:
        if await self._holder() == self.holder:
            await self.give_back()

    def _wind(self) -> None:
        """Set the alarm for the next renewal."""
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(self._seconds / 3, self._ring)

    def _ring(self) -> None:
        self._renewal = asyncio.ensure_future(self._renew_in_time())

    async def _renew_in_time(self) -> None:
        try:
            await self.renew()
        except LeaseLost:
            return  # told to the run by its next write
        except Exception as error:  # noqa: BLE001 - the next renewal may succeed
            _logger.warning(
                "the lease on %r was not renewed: %s", self._guarded, type(error).__name__
            )
        if self._position and self._is_open:
            self._wind()

    def _stop(self) -> None:
        self._position = 0
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


class _Claim(NamedTuple):
    """A record of a lease: who holds it, since when in the order of the log, for how long."""

    position: int
    holder: str
    seconds: float
    until: float


class _Watch:
    """Watches somebody else's lease for its end."""

    def __init__(self) -> None:
        #: How often it was looked at.
        self.looks = 0
        self._position = 0
        self._since = 0.0

    def has_expired(self, claim: _Claim) -> bool:
        """Whether `claim`, the newest, is over: by the clock, or seen for its whole time."""
        self.looks += 1
        if claim.position != self._position:
            self._position, self._since = claim.position, time.monotonic()
        return time.time() > claim.until or time.monotonic() - self._since > claim.seconds


def _claim_in(record: Record, seconds: float) -> _Claim:
    """The claim that `record` makes; one that can't be read holds for `seconds`."""
    try:
        claim = decode(record.payload)
        return _Claim(
            record.position, str(claim["holder"]), float(claim["seconds"]), float(claim["until"])
        )
    except (ValueError, TypeError, KeyError):
        return _Claim(record.position, "", seconds, float("inf"))
