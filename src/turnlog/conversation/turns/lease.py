"""Leases: the right to run one turn on a log, held by one run at a time.

A lease is a log of its own beside the log that it guards; it is empty while the lease is
free. It is taken, renewed and given back by appending and removing with `expect`, so it
works on every store, across tasks, threads, processes and machines, and never grows.

The holder writes until when the lease lasts, and renews it long before that. So the lease
is free again some time after its holder died. Runs that wait for it put tickets into the
same log, and get the lease in the order of their tickets.
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
#: `SessionBusy`, go on with a copy of the conversation, or write all the same.
Policy: TypeAlias = Literal["queue", "reject", "branch", "off"]

#: For how long others wait for a holder that died, at most.
LEASE_SECONDS = 30.0

# While giving back a lease is retried, the caller of the run waits for so many seconds; later
# retries are made in the background.
_CALLER_WAITS = 1.0

# The seconds between two of these retries: at first, and at most.
_FIRST_DELAY, _LAST_DELAY = 0.02, 1.0

_logger = logging.getLogger(__name__)

#: Tasks that give back leases of runs that have ended. An event loop holds its tasks weakly.
_giving_back: set[asyncio.Task[None]] = set()


def check_seconds(seconds: float) -> None:
    """Raise `ValueError` if a lease can't last for `seconds`."""
    if not 0 < seconds < float("inf"):
        raise ValueError(f"lease seconds must be positive and finite, not {seconds}")


class Lease:
    """The right to run one turn on `log`.

    seconds: how long it lasts unless it is renewed. It is renewed after a third of that, again
        and again, while the event loop that took it runs.
    """

    def __init__(self, store: Store, log: Log, *, seconds: float = LEASE_SECONDS) -> None:
        check_seconds(seconds)
        #: The name of this lease, which no other has.
        self.holder = uuid4().hex
        self._guarded = log
        self._log = LeaseLog(store, log, seconds)
        self._seconds = seconds
        # "new", then "held", perhaps "lost" to another run, and "over" in the end. A lease
        # that is over stays so, even if a claim was still on its way to the store.
        self._state: Literal["new", "held", "lost", "over"] = "new"
        self._position = 0  # of the newest claim
        self._until = 0.0  # the end of that claim by time.monotonic
        self._watch = Watch(seconds)
        self._is_being_cleared = False  # by the run that holds it
        self._is_tidy = True  # the log holds no other record of this lease than its claim
        self._has_looked = False
        self._found = LeaseState([], [], 0)  # by the last look at the log
        self._timer: asyncio.TimerHandle | None = None
        self._renewal: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was taken and not given back; it may have been lost meanwhile."""
        return self._state in ("held", "lost")

    async def take(self, *, in_order: bool = False) -> str | None:
        """Take the lease, if it is free or has expired.

        in_order: not before the runs that have waited longer.

        Returns None when it was taken, else the `holder` that has it; "" if it is left to the
        runs that have waited longer.
        """
        try:
            blocker = await self._taken(in_order)
        except BaseException:
            # It may have been taken all the same, and nobody would hold it.
            await finished(self.give_back())
            raise
        if blocker is None:
            self._state = "held"
            self._schedule_renewal()
        return blocker

    async def queue(self) -> None:
        """Take the lease after all runs that have waited longer."""
        while await self.take(in_order=True) is not None:
            await self._wait_for_change()

    async def pause(self) -> None:
        """Sleep before the next try: shortly at first, then longer."""
        await self._watch.pause()

    async def check(self) -> None:
        """Raise `LeaseLost` unless the lease is held. The store is asked only if it has expired."""
        self._check_state()
        if time.monotonic() >= self._until:
            await self.renew()

    async def renew(self) -> None:
        """Hold the lease for its whole time from now. Raises `LeaseLost` if it was lost."""
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
        """Call `delete`, which deletes the session and this lease with it; hold the lease on."""
        self._is_being_cleared = True
        try:
            await delete()
            await self.renew()
        finally:
            self._is_being_cleared = False

    async def give_back(self) -> None:
        """Make the lease free again; nothing is done for one that was lost.

        If the store fails, it is retried until the lease has expired; in the background
        after a second, so that the caller of the run need not wait.
        """
        was, self._state = self._state, "over"
        if self._timer is not None:
            self._timer.cancel()
        if was in ("lost", "over"):
            return
        try:
            await self._remove_mine()
        except TurnlogError as error:
            self._warn("was not given back; it expires by itself", error)
        except Exception as error:  # noqa: BLE001 - the caller is to get the run's own outcome
            self._warn("was not given back yet", error)
            await self._keep_giving_back()

    async def _taken(self, in_order: bool) -> str | None:
        """Take the lease; None, or the holder that has it."""
        # It usually is free, so the first try is made without a look at the log.
        while True:
            if self._has_looked:
                self._found = await self._log.look()
                if (blocker := self._blocker(self._found, in_order)) is not None:
                    return blocker
            self._has_looked = True
            with suppress(Conflict):  # another run was faster: look again
                await self._claim(self._found.last)
                await self._discard(*self._useless(self._found))
                return None

    def _blocker(self, state: LeaseState, in_order: bool) -> str | None:
        self._watch.saw(state)
        claim = state.claim
        if claim and claim.holder != self.holder and not self._watch.has_expired(claim):
            return claim.holder
        return "" if in_order and not state.is_first(self.holder) else None

    def _useless(self, state: LeaseState) -> list[int]:
        """The positions of expired claims and of this run's own tickets, once it has the lease."""
        tickets = [ticket.position for ticket in state.tickets if ticket.waiter == self.holder]
        return [*(claim.position for claim in state.claims), *tickets]

    async def _discard(self, *positions: int) -> None:
        """Remove records that nobody needs. Those that stay go when the lease is given back."""
        try:
            for position in positions:
                await self._log.remove(position)
        except Exception as error:  # noqa: BLE001 - the lease is held all the same
            self._is_tidy = False
            self._warn("left old records behind", error)

    async def _wait_for_change(self) -> None:
        state = self._found
        is_absent = self._watch.is_absent(state)
        try:
            if not state.has_ticket(self.holder):
                await self._log.add_ticket(self.holder)
            elif is_absent:
                await self._log.remove(state.tickets[0].position)
            await self._watch.pause()
        except BaseException:
            await finished(self.give_back())  # which removes the ticket as well
            raise

    def _check_state(self) -> None:
        if self._state != "held":
            raise LeaseLost(self._guarded)

    async def _claim(self, expect: int) -> None:
        """Write a claim, on condition that the log ends at `expect`."""
        started = time.monotonic()
        try:
            position = await self._log.claim(self.holder, expect)
        except TurnlogError:
            raise
        except Exception as error:  # noqa: BLE001 - raised unless it was written all the same
            position = await self._position_after(expect, error)
        await self._claimed(position, started)

    async def _position_after(self, expect: int, error: Exception) -> int:
        """The position of a claim that may have been written though `error` was raised."""
        try:
            state = await self._log.look()
        except Exception:  # noqa: BLE001 - the store is out of reach; the first error says why
            raise error from None
        if state.claim and state.holder == self.holder and state.claim.position > expect:
            return state.claim.position
        # It was not written, and the store answers again.
        return await self._log.claim(self.holder, expect)

    async def _claimed(self, position: int, started: float) -> None:
        if self._state in ("lost", "over"):
            await self._log.remove(position)  # the lease ended while the claim was written
            raise LeaseLost(self._guarded)
        self._position = position
        self._until = started + self._seconds

    async def _claim_anew(self) -> list[int]:
        """Write a claim at the end of the log, wherever that is; the positions of older claims.

        Raises `LeaseLost` if the newest claim is another run's, or there is none.
        """
        while True:
            known = self._position
            state = await self._log.look()
            if self._position != known:
                continue  # another task has renewed it meanwhile: what was read is old
            is_ours = state.holder == self.holder or (self._is_being_cleared and not state.claims)
            if self._state != "held" or not is_ours:
                self._lose()
                raise LeaseLost(self._guarded)
            with suppress(Conflict):
                await self._claim(state.last)
                return [claim.position for claim in state.claims]

    def _lose(self) -> None:
        if self._state == "held":
            self._state = "lost"
        if self._timer is not None:
            self._timer.cancel()

    async def _remove_mine(self) -> None:
        """Remove all claims and tickets of this lease."""
        if self._position and self._is_tidy:
            with suppress(Conflict):  # it was renewed, or lost, or somebody waits
                await self._log.remove(self._position, expect=self._position)
                return
        while mine := (await self._log.look()).records_of(self.holder):
            for position in mine:
                await self._log.remove(position)

    async def _keep_giving_back(self) -> None:
        task = asyncio.ensure_future(self._give_back_until_expired())
        _giving_back.add(task)
        task.add_done_callback(_giving_back.discard)
        await asyncio.wait([task], timeout=_CALLER_WAITS)

    async def _give_back_until_expired(self) -> None:
        """Retry until the lease has expired for other runs, whatever their clocks say."""
        end = max(self._until, time.monotonic()) + self._seconds
        delay = _FIRST_DELAY
        while time.monotonic() < end:
            try:
                await self._remove_mine()
            except TurnlogError:
                return  # the store is closed: the lease expires by itself
            except Exception:  # noqa: BLE001 - logged when it failed first; retried
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LAST_DELAY)
            else:
                return

    def _schedule_renewal(self) -> None:
        """Start the timer of the next renewal."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._seconds / 3, self._begin_renewal)

    def _begin_renewal(self) -> None:
        self._renewal = asyncio.ensure_future(self._renew_in_time())

    async def _renew_in_time(self) -> None:
        try:
            await self.renew()
        except LeaseLost:
            return  # the run's next write raises it
        except Exception as error:  # noqa: BLE001 - the next renewal may succeed
            self._warn("was not renewed", error)
        if self._state == "held":
            self._schedule_renewal()

    def _warn(self, what: str, error: Exception) -> None:
        _logger.warning("the lease on %r %s: %s", self._guarded, what, type(error).__name__)
