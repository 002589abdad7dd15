"""Taking a lease: at once if it is free, or after all runs that have waited longer."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.changes import Change, Committed, Key
from turnlog.conversation.deletion import commit_unless_deleted
from turnlog.conversation.turns.claims import Claim, Claims, Ticket
from turnlog.conversation.turns.reporting import Wait
from turnlog.conversation.turns.waiting import Watch
from turnlog.errors import Conflict
from turnlog.loops.processes import is_gone

__all__ = ["Taking"]


class Taking:
    """The tries of one run to take a lease.

    holder: the name under which it takes it.
    seconds: how long a lease lasts.
    """

    def __init__(self, claims: Claims, holder: str, seconds: float) -> None:
        self._claims = claims
        self._holder = holder
        self._watch = Watch(seconds)
        self._ticket = 0  # the position of the own ticket
        self._draws = 0  # how many tickets were drawn
        self._tries = 0

    async def at_once(
        self, changes: Sequence[Change], *, in_order: bool, key: Key | None = None
    ) -> Committed | str:
        """Take the lease together with `changes`.

        in_order: not while other runs wait for it.
        key: of the commit; one of this run's own for None.

        Returns the result of the commit: of the claim first, then of `changes`. If the lease is
        not free, it returns its holder, or "" if it is left to the runs that wait.
        """
        # The lease usually is free, so the first try is made without a look.
        if self._tries == 0 and (done := await self._tried(0, changes, in_order=in_order, key=key)):
            return done
        while True:
            claim = await self._claims.newest()
            free = self._free_at(claim)
            if free is None:
                return claim.holder if claim else ""
            if in_order and await self._first() is not None:
                return ""
            if done := await self._tried(free, changes, in_order=in_order, key=key):
                return done

    async def in_turn(self, wait: Wait) -> Committed:
        """Wait until all runs that have waited longer had the lease, and take it.

        wait: told of each look.
        """
        while True:
            if done := await self._taken_if_first(wait):
                return done
            await self._watch.pause()

    async def withdraw(self, position: int, beside: Sequence[Change] = ()) -> bool:
        """Remove the claim of this run, and its ticket, if they are there.

        position: at which the claim was last seen; 0 if that is not known.
        beside: changes to make together with the removal of the claim.

        Returns whether the claim was removed.
        """
        while self._tries or self._draws:
            changes: list[Change] = [*map(self._claims.leave, await self._own_tickets())]
            if position := position or await self._own_claim():
                changes += [self._claims.free(position), *beside]
            try:
                if changes:
                    await self._claims.commit(changes)
            except Conflict:
                position = 0  # it was renewed, or lost: look
            else:
                return position > 0
        return False

    async def _taken_if_first(self, wait: Wait) -> Committed | None:
        claim, first = await self._claims.newest(), await self._first()
        wait.saw(claim, first)
        free = self._free_at(claim)
        if first is None or first.position > self._ticket:
            await self._draw_ticket()  # or again: it was removed
        elif first.position < self._ticket:
            await self._remove_if_absent(first, is_free=free is not None)
        elif free is not None:
            return await self._taken_as_first(free)
        return None

    async def _first(self) -> Ticket | None:
        """The ticket of the run that has waited longest. Those of dead processes are removed."""
        while (first := await self._claims.first()) is not None and is_gone(first.process):
            await self._claims.commit([self._claims.leave(first.position)])
        return first

    async def _taken_as_first(self, free: int) -> Committed | None:
        done = await self._tried(free, [self._claims.served(self._ticket)], in_order=False)
        if done is not None:
            self._draws = 0  # no ticket is left to withdraw
        return done

    def _free_at(self, claim: Claim | None) -> int | None:
        """The position at which to take the lease; None if another run holds it."""
        self._watch.saw(claim)
        if claim is None:
            return 0
        is_free = claim.holder == self._holder or self._watch.has_expired(claim)
        return claim.position if is_free else None

    async def _tried(
        self,
        position: int,
        changes: Sequence[Change],
        *,
        in_order: bool,
        key: Key | None = None,
    ) -> Committed | None:
        """Take the lease if its claim is still at `position`; None if it isn't."""
        self._tries += 1
        first = [self._claims.claim(self._holder, position)]
        if in_order:
            changes = [self._claims.nobody_waits(), *changes]
        key = key or Key(f"{self._holder}/take/{position}", brief=True)
        try:
            done = await self._committed([*first, *changes], key)
        except Conflict as conflict:
            if self._claims.caused(conflict):
                return None
            raise
        taken, *others = done.positions
        return done._replace(positions=(taken, *others[in_order:]))

    async def _draw_ticket(self) -> None:
        self._draws += 1
        key = Key(f"{self._holder}/ticket/{self._draws}", brief=True)
        done = await self._committed([self._claims.ticket(self._holder)], key)
        [self._ticket] = done.positions

    async def _committed(self, changes: Sequence[Change], key: Key) -> Committed:
        store, log = self._claims.store, self._claims.guarded
        return await commit_unless_deleted(store, log, changes, key, retried=True)

    async def _remove_if_absent(self, first: Ticket, *, is_free: bool) -> None:
        """Remove the ticket of the run that is first, if it has long left the lease free."""
        if self._watch.is_absent(first.position if is_free else 0):
            await self._claims.commit([self._claims.leave(first.position)])

    async def _own_tickets(self) -> list[int]:
        """The positions of the own tickets. None was drawn if the lease was free at once."""
        return await self._claims.tickets_of(self._holder) if self._draws else []

    async def _own_claim(self) -> int:
        """The position of the own claim; 0 if it doesn't count, or there is none."""
        newest = await self._claims.newest()
        return newest.position if newest and newest.holder == self._holder else 0
