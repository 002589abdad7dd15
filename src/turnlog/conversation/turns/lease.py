"""Leases: the right to run one turn on a log, held by one run at a time.

A lease is a claim in a log of its own beside the log that it guards. Each write of its holder
checks in the same commit that the claim still counts. So a run that others believed dead can't
write into the turn of its successor, however long it was stopped and whatever its clock says.
Clocks only decide how long others wait for a run that died.

The holder writes until when the claim lasts, and renews it long before that. Runs that wait
for the lease put tickets into another log, and get it in the order of their tickets.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal
from uuid import uuid4

from turnlog.changes import Change, Committed, Key
from turnlog.conversation.retrying import is_certain
from turnlog.conversation.turns.claims import RENEWALS, Claims
from turnlog.conversation.turns.duration import lease_seconds
from turnlog.conversation.turns.giving_back import given_back, warn
from turnlog.conversation.turns.reporting import Wait
from turnlog.conversation.turns.taking import Taking
from turnlog.conversation.usage.recording import PendingUsage, merged
from turnlog.errors import Conflict, LeaseLost
from turnlog.loops.finishing import finished
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Lease"]


class Lease:
    """The right to run one turn on `log`.

    seconds: how long it lasts unless it is renewed; None for the default. It is renewed after a
        third of that, again and again, while the event loop that took it runs.
    """

    def __init__(self, store: Store, log: Log, *, seconds: float | None = None) -> None:
        #: The name of this lease, which no other has.
        self.holder = uuid4().hex
        #: How long it lasts unless it is renewed.
        self.seconds = lease_seconds(seconds, store)
        self._store = store
        self._guarded = log
        self._process = os.getpid()
        self._claims = Claims(store, log, self.seconds)
        self._taking = Taking(self._claims, self.holder, self.seconds)
        # "new", then "held", perhaps "lost" to another run, and "over" in the end.
        self._state: Literal["new", "held", "lost", "over"] = "new"
        self._position = 0  # of the newest claim
        self._timer: asyncio.TimerHandle | None = None
        self._renewal: asyncio.Task[None] | None = None

    @property
    def is_new(self) -> bool:
        """Whether it is yet to be taken."""
        return self._state == "new"

    @property
    def is_open(self) -> bool:
        """Whether it was taken and not given back; it may have been lost meanwhile."""
        return self._state in ("held", "lost")

    async def take(
        self, *changes: Change, in_order: bool = False, key: Key | None = None
    ) -> Committed | str:
        """Take the lease, if it is free or has expired, and make `changes` in the same commit.

        in_order: not while other runs wait for it.
        key: of the commit. If an earlier commit had it, nothing is taken or made, and the
            result says so.

        Returns the result of the commit: of the claim first, then of `changes`. If the lease is
        not free, it returns its holder, or "" if it is left to the runs that wait.
        Raises `Conflict` if a condition of `changes` fails; the lease is not taken then.
        """
        try:
            return await self._taken(changes, in_order, key)
        except Conflict:
            raise
        except BaseException:
            # It may have been taken all the same, and nobody would hold it.
            await finished(self.give_back())
            raise

    async def _taken(
        self, changes: Sequence[Change], in_order: bool, key: Key | None
    ) -> Committed | str:
        done = await self._taking.at_once(changes, in_order=in_order, key=key)
        if not isinstance(done, str):
            await self._hold(done, may_be_anothers=key is not None)
        return done

    async def queue(self, wait: Wait | None = None) -> None:
        """Take the lease after all runs that have waited longer.

        wait: reports for whom this run waits, and may end that.
        """
        wait = wait or Wait(self._store.identity, self._guarded, None)
        try:
            async with wait.bounded():
                done = await self._taking.in_turn(wait)
            await self._hold(done)
        except BaseException:
            await finished(self.give_back())  # which removes the ticket as well
            raise

    async def commit(
        self, changes: Sequence[Change], key: Key, store: Store | None = None
    ) -> tuple[int, ...]:
        """Make `changes`, if the lease is held; all of them or none.

        store: the handle to write through.

        Returns where their logs end then. Raises `LeaseLost` if another run has taken over, or
        the session was deleted; nothing is written then.
        """
        done = await self._fenced(self._claims.held, changes, key, store)
        return done.positions[1:]

    async def renew(self, *changes: Change, key: Key | None = None) -> tuple[int, ...]:
        """Hold the lease for its whole time from now, and make `changes` in the same commit.

        Returns where their logs end then. Raises `LeaseLost` if the lease was lost.
        """
        done = await self._fenced(self._claim_again, changes, key)
        self._position = max(self._position, done.positions[0])
        return done.positions[1:]

    async def finish(
        self, changes: Sequence[Change], key: Key, store: Store | None = None
    ) -> tuple[int, ...]:
        """Make `changes` and give the lease back, in one commit.

        Returns where their logs end then. Raises `LeaseLost` if the lease was lost; nothing is
        written then.
        """
        done = await self._fenced(self._claims.free, changes, key, store)
        self._end()
        return done.positions[1:]

    async def give_back(self, pending: Sequence[PendingUsage] = ()) -> None:
        """Make the lease free again, unless it was lost.

        pending: usage to record in the same commit; if the lease was lost, in one of its own.

        If the store fails, it is retried until the lease has expired; in the background
        after a second, so that the caller of the run need not wait. A child process that was
        forked meanwhile leaves it to its parent.
        """
        was = self._state
        self._end()
        if self._process == os.getpid() and (was in ("new", "held") or (was == "lost" and pending)):
            withdraw = partial(self._withdraw, pending)
            await given_back(withdraw, self._guarded, 2 * self.seconds)

    async def _hold(self, done: Committed, *, may_be_anothers: bool = False) -> None:
        """Note that the lease was taken, if the claim of that commit still counts.

        may_be_anothers: the commit may be that of another run with the same key.
        """
        if not done.replayed or await self._is_newest():
            self._position = done.positions[0]
            self._state = "held"
            self._schedule_renewal()
        elif not may_be_anothers:
            self._lose()
            raise LeaseLost(self._guarded)

    async def _is_newest(self) -> bool:
        newest = await self._claims.newest()
        return newest is not None and newest.holder == self.holder

    async def _fenced(
        self,
        fence: Callable[[int], Change],
        changes: Sequence[Change],
        key: Key | None,
        store: Store | None = None,
    ) -> Committed:
        """Commit `changes` behind `fence`, which is given the position of the newest claim.

        If the claim is at another position, because it was renewed meanwhile, the commit is
        repeated. An error of the store is raised when it comes again; until then the commit
        may have been made, which a key recognises.
        """
        handle = store or self._store
        failed: Exception | None = None
        while True:
            self._check_state(failed)
            position = self._position
            try:
                return await handle.commit(
                    self._guarded.session, [fence(position), *changes], key=key
                )
            except Conflict as conflict:
                if not self._claims.caused(conflict):
                    raise
                await self._find_claim(position, failed)
            except Exception as error:  # noqa: BLE001 - raised if it comes again
                if failed is not None or is_certain(error):
                    raise failed or error from None
                failed = error

    async def _find_claim(self, known: int, failed: Exception | None) -> None:
        """Find the own claim, which is no longer at position `known`."""
        newest = await self._claims.newest()
        if newest is not None and newest.holder == self.holder:
            self._position = max(self._position, newest.position)
        elif self._position == known:  # else it was renewed after this look
            self._lose()
            self._check_state(failed)

    def _check_state(self, failed: Exception | None) -> None:
        """Raise `LeaseLost` unless the lease is held.

        failed: the error of a write that was not acknowledged. It is raised instead, because
            `LeaseLost` promises that nothing was written.
        """
        if self._state != "held":
            raise failed or LeaseLost(self._guarded)

    def _claim_again(self, position: int) -> Change:
        return self._claims.claim(self.holder, position)

    async def _withdraw(self, pending: Sequence[PendingUsage]) -> None:
        changes = [change for each in pending if (change := await each.change()) is not None]
        if await self._taking.withdraw(self._position, merged(changes)):
            for each in pending:
                each.mark_recorded()
        else:
            for each in pending:
                await each.record()

    def _lose(self) -> None:
        if self._state != "over":
            self._state = "lost"
        self._stop_renewals()

    def _end(self) -> None:
        self._state = "over"
        self._stop_renewals()

    def _stop_renewals(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _schedule_renewal(self, *, has_failed: bool = False) -> None:
        """Start the timer of the next renewal. One that failed is retried sooner."""
        delay = self.seconds / (3 * RENEWALS if has_failed else RENEWALS)
        self._timer = asyncio.get_running_loop().call_later(delay, self._begin_renewal)

    def _begin_renewal(self) -> None:
        self._renewal = asyncio.ensure_future(self._renew_in_time())

    async def _renew_in_time(self) -> None:
        failed: Exception | None = None
        try:
            await self.renew()
        except LeaseLost:
            return  # the run's next write raises it
        except Exception as error:  # noqa: BLE001 - the next renewal may succeed
            failed = error
        if self._state != "held":
            return  # the run ended meanwhile, and perhaps its store was closed
        if failed is not None:
            warn(self._guarded, "was not renewed", failed)
        self._schedule_renewal(has_failed=failed is not None)
