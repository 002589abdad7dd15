"""Lease logs: the claim of the run that holds the lease, and the tickets of runs that wait.

Claims and tickets are in one log, so that one append which expects an empty log makes sure of
two things: the lease is free, and nobody waits for it.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from turnlog.items.json import decode, encode
from turnlog.records import Log, Record
from turnlog.store import Store

__all__ = ["Claim", "LeaseLog", "LeaseState", "Ticket"]


class Claim(NamedTuple):
    """A record by which a run holds the lease, until a time.

    seconds: how long the claim lasts.
    """

    position: int
    holder: str
    seconds: float
    #: Seconds since the epoch, by the wall clock of the holder.
    until: float


class Ticket(NamedTuple):
    """A record by which a run waits. The lowest position has waited longest."""

    position: int
    waiter: str


class LeaseState(NamedTuple):
    """The contents of a lease's log when it was read."""

    #: Oldest first. The newest counts; others are left over from writes that were interrupted.
    claims: list[Claim]
    #: Oldest first.
    tickets: list[Ticket]
    #: The position at which the log ended.
    last: int

    @property
    def claim(self) -> Claim | None:
        """The newest claim; None if the lease is free."""
        return self.claims[-1] if self.claims else None

    @property
    def holder(self) -> str:
        """The holder of the newest claim; "" if the lease is free."""
        return self.claim.holder if self.claim else ""

    def is_first(self, waiter: str) -> bool:
        """Whether no other run has waited longer than `waiter`."""
        return not self.tickets or self.tickets[0].waiter == waiter

    def has_ticket(self, waiter: str) -> bool:
        """Whether `waiter` has put in a ticket."""
        return any(ticket.waiter == waiter for ticket in self.tickets)

    def records_of(self, holder: str) -> list[int]:
        """The positions of what to remove when `holder` gives up: its claims and tickets, and,
        if it has the newest claim, the older ones that this has replaced.
        """
        claims = [claim.position for claim in self.claims if holder in (claim.holder, self.holder)]
        tickets = [ticket.position for ticket in self.tickets if ticket.waiter == holder]
        return [*reversed(claims), *tickets]


class LeaseLog:
    """The log of the lease on `guarded`.

    seconds: how long a claim lasts.
    """

    def __init__(self, store: Store, guarded: Log, seconds: float) -> None:
        self._store = store
        self._log = guarded.beside("lease")
        self._seconds = seconds

    async def look(self) -> LeaseState:
        """Read the log."""
        records = await self._store.read(self._log)
        entries = [_entry(record, self._seconds) for record in records]
        claims = [entry for entry in entries if isinstance(entry, Claim)]
        tickets = [entry for entry in entries if isinstance(entry, Ticket)]
        last = records.positions[-1] if records else 0
        return LeaseState(claims, tickets, last)

    async def claim(self, holder: str, expect: int) -> int:
        """Write a claim. Raises `Conflict` unless the log ends at `expect`."""
        until = time.time() + self._seconds
        claim = {"holder": holder, "seconds": self._seconds, "until": until}
        return await self._store.append(self._log, [encode(claim)], expect=expect)

    async def add_ticket(self, waiter: str) -> None:
        """Write a ticket, behind those of the runs that wait already."""
        await self._store.append(self._log, [encode({"waiter": waiter})])

    async def remove(self, position: int, expect: int | None = None) -> None:
        """Remove one record. A position is never used again, so no other record can be hit.

        expect: raises `Conflict` unless the log ends at this position.
        """
        await self._store.remove(self._log, after=position - 1, before=position + 1, expect=expect)


def _entry(record: Record, seconds: float) -> Claim | Ticket:
    """`record` as a claim or ticket. One that can't be read is a claim that lasts for `seconds`."""
    try:
        entry = decode(record.payload)
        if "waiter" in entry:
            return Ticket(record.position, str(entry["waiter"]))
        lasts, until = float(entry["seconds"]), float(entry["until"])
        return Claim(record.position, str(entry["holder"]), lasts, until)
    except (ValueError, TypeError, KeyError):
        return Claim(record.position, "", seconds, float("inf"))
