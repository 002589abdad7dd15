"""Leases: the right to run one turn on a log, held by one run at a time.

A lease is a log of its own beside the one that it guards: empty when free. It is
taken, renewed and given back by appending and removing with `expect`, so it works
on every store, across tasks, threads, processes and machines, and never grows.

Its holder says until when it lasts, and renews it long before. So it is free again
when the holder has died. Runs that wait for it leave tickets in the same log and are
served in the order of these.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal, TypeAlias
from uuid import uuid4

from turnlog.conversation.turns.lease_log import LeaseLog, LeaseState
from turnlog.conversation.turns.waiting import Watch
from turnlog.errors import Conflict, LeaseLost, TurnlogError
from turnlog.loops.finishing import finished
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["LEASE_SECONDS", "Lease", "Policy", "check_seconds"]

#: What a run does when another one is under way on its session: wait for its end, raise
#: `SessionBusy`, go on with a copy of the conversation, or take no notice.
Policy: TypeAlias = Literal["queue", "reject", "branch", "off"]

#: How long a dead holder keeps others waiting, at most.
LEASE_SECONDS = 30.0

# How long the caller of a run waits, in seconds, while giving back the lease is tried again;
# after that it is tried in the background. And the seconds between two tries, at most.
_PATIENCE, _PAUSE = 1.0, 1.0

_logger = logging.getLogger(__name__)

#: Tasks that give back leases of runs that have ended. The event loop alone would forget them.
_giving_back: set[asyncio.Task[None]] = set()


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
        self._guarded = log
        self._log = LeaseLog(store, log, seconds)
        self._seconds = seconds
        # From "new" to "held", or "lost" when somebody else took it, and to "over" in the end.
        # One that is over is never taken again, whatever was under way.
        self._state: Literal["new", "held", "lost", "over"] = "new"
        self._position = 0  # of the newest claim
        self._until = 0.0  # by time.monotonic
        self._watch = Watch(seconds)
        self._is_cleared = False  # just now, by its own holder
        self._is_tidy = True  # no record of this lease is left but its claim
        self._has_looked = False
        self._found = LeaseState([], [], 0)  # when it was looked at last
        self._alarm: asyncio.TimerHandle | None = None
        self._renewal: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was taken and not given back. It may be lost all the same."""
        return self._state in ("held", "lost")

    async def take(self, *, in_turn: bool = False) -> str | None:
        """Take the lease, if it is free or has expired.

        in_turn: not before those who wait for it.

        Returns None, or the `holder` of the lease that is in the way; "" stands for those who
        wait.
        """
        try:
            blocker = await self._taken(in_turn)
        except BaseException:
            # It may have been taken, and nobody is left to hold it. The first error is the
            # one to tell.
            await finished(self.give_back())
            raise
        if blocker is None:
            self._state = "held"
            self._wind()
        return blocker

    async def queue(self) -> None:
        """Take the lease once all who have waited longer have had it."""
        while await self.take(in_turn=True) is not None:
            await self._wait_a_little()

    async def pause(self) -> None:
        """Let some time pass before the next try: little at first, then more."""
        await self._watch.pause()

    async def check(self) -> None:
        """Raise `LeaseLost` unless the lease is held. Free of cost while it can't have expired."""
        self._check_state()
        if time.monotonic() >= self._until:
            await self.renew()

    async def renew(self) -> None:
        """Hold the lease for another while. Raises `LeaseLost` if it is held no longer."""
        self._check_state()
        old = [self._position]
        try:
            await self._claim(self._position)
        except Conflict:
            old = await self._claim_anew()
        await self._discard(*old)

    async def confirm(self) -> None:
        """Ask the store whether the lease is held. Raises `LeaseLost` if it isn't."""
        self._check_state()
        state = await self._log.look()
        if state.holder != self.holder:
            await self.renew()  # it is lost, or its holder was just clearing the session

    async def clear(self, delete: Callable[[], Awaitable[None]]) -> None:
        """Hold the lease on while its holder deletes the session, and the lease with it."""
        self._is_cleared = True
        try:
            await delete()
            await self.renew()
        finally:
            self._is_cleared = False

    async def give_back(self) -> None:
        """Make the lease free again. One that was lost is nobody's to give back.

        Where the store fails, it is tried again until the lease has expired; in the
        background after a second, so that the run's caller is not kept waiting.
        """
        was, self._state = self._state, "over"
        if self._alarm is not None:
            self._alarm.cancel()
        if was in ("lost", "over"):
            return
        try:
            await self._remove_mine()
        except TurnlogError as error:
            self._warn("was not given back, and ends by itself", error)
        except Exception as error:  # noqa: BLE001 - what the run came to is what its caller is told
            self._warn("was not given back yet", error)
            await self._keep_giving_back()

    async def _taken(self, in_turn: bool) -> str | None:
        """Who is in the way; None once the lease is taken."""
        # It is mostly free: so the first look comes when that turns out to be wrong.
        while True:
            if self._has_looked:
                self._found = await self._log.look()
                if (blocker := self._blocker(self._found, in_turn)) is not None:
                    return blocker
            self._has_looked = True
            with suppress(Conflict):  # somebody was quicker: look again
                await self._claim(self._found.last)
                await self._discard(*self._useless(self._found))
                return None

    def _blocker(self, state: LeaseState, in_turn: bool) -> str | None:
        self._watch.saw(state)
        claim = state.claim
        if claim and claim.holder != self.holder and not self._watch.has_expired(claim):
            return claim.holder
        return "" if in_turn and not state.is_first(self.holder) else None

    def _useless(self, state: LeaseState) -> list[int]:
        """The positions of what is of no use once the lease is taken: claims that have expired,
        and tickets of one's own.
        """
        tickets = [ticket.position for ticket in state.tickets if ticket.waiter == self.holder]
        return [*(claim.position for claim in state.claims), *tickets]

    async def _discard(self, *positions: int) -> None:
        """Remove records that are of no use. What stays goes when the lease is given back."""
        try:
            for position in positions:
                await self._log.remove(position)
        except Exception as error:  # noqa: BLE001 - see above; the lease is held all the same
            self._is_tidy = False
            self._warn("could not be tidied up", error)

    async def _wait_a_little(self) -> None:
        state = self._found
        is_absent = self._watch.is_absent(state)
        try:
            if not state.has_ticket(self.holder):
                await self._log.draw(self.holder)
            elif is_absent:
                await self._log.remove(state.tickets[0].position)
            await self._watch.pause()
        except BaseException:
            await finished(self.give_back())  # and the ticket with it
            raise

    def _check_state(self) -> None:
        if self._state != "held":
            raise LeaseLost(self._guarded)

    async def _claim(self, expect: int) -> None:
        """Write a claim, on condition that the log ends at `expect`."""
        begun = time.monotonic()
        try:
            position = await self._log.claim(self.holder, expect)
        except TurnlogError:
            raise
        except Exception as error:  # noqa: BLE001 - raised unless it was written all the same
            position = await self._position_after(expect, error)
        await self._claimed(position, begun)

    async def _position_after(self, expect: int, error: Exception) -> int:
        """Where the claim stands that `error` was raised for: it may have been written."""
        try:
            state = await self._log.look()
        except Exception:  # noqa: BLE001 - the store is out of reach; the first error tells
            raise error from None
        if state.claim and state.holder == self.holder and state.claim.position > expect:
            return state.claim.position
        # It was not, and the store answers again.
        return await self._log.claim(self.holder, expect)

    async def _claimed(self, position: int, begun: float) -> None:
        if self._state in ("lost", "over"):
            await self._log.remove(position)  # it ended while the claim was on its way
            raise LeaseLost(self._guarded)
        self._position = position
        self._until = begun + self._seconds

    async def _claim_anew(self) -> list[int]:
        """Write a claim though the log ends elsewhere by now; the positions of older ones.

        Raises `LeaseLost` if the newest claim is another's, or there is none.
        """
        while True:
            known = self._position
            state = await self._log.look()
            if self._position != known:
                continue  # another task has renewed it meanwhile: what was read is old
            is_ours = state.holder == self.holder or (self._is_cleared and not state.claims)
            if self._state != "held" or not is_ours:
                self._lose()
                raise LeaseLost(self._guarded)
            with suppress(Conflict):
                await self._claim(state.last)
                return [claim.position for claim in state.claims]

    def _lose(self) -> None:
        if self._state == "held":
            self._state = "lost"
        if self._alarm is not None:
            self._alarm.cancel()

    async def _remove_mine(self) -> None:
        """Remove all claims and tickets of this lease."""
        if self._position and self._is_tidy:
            with suppress(Conflict):  # a renewal has moved it, somebody waits, or it is another's
                await self._log.remove(self._position, expect=self._position)
                return
        while mine := (await self._log.look()).useless_without(self.holder):
            for position in mine:
                await self._log.remove(position)

    async def _keep_giving_back(self) -> None:
        task = asyncio.ensure_future(self._give_back_until_expired())
        _giving_back.add(task)
        task.add_done_callback(_giving_back.discard)
        await asyncio.wait([task], timeout=_PATIENCE)

    async def _give_back_until_expired(self) -> None:
        """Try until others hold the lease for expired, whatever their clocks say."""
        end = max(self._until, time.monotonic()) + self._seconds
        delay = 0.02
        while time.monotonic() < end:
            try:
                await self._remove_mine()
            except TurnlogError:
                return  # the store is closed: the lease ends by itself
            except Exception:  # noqa: BLE001 - told when it failed first; it may come back
                await asyncio.sleep(delay)
                delay = min(delay * 2, _PAUSE)
            else:
                return

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
            self._warn("was not renewed", error)
        if self._state == "held":
            self._wind()

    def _warn(self, what: str, error: Exception) -> None:
        _logger.warning("the lease on %r %s: %s", self._guarded, what, type(error).__name__)
