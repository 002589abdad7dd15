"""The log of a lease: the claim of the run that holds it, and tickets of runs that wait.

Claims and tickets share one log, so that a run which finds the log empty knows two things
in one step: the lease is free, and nobody waits for it.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from turnlog.items.json import decode, encode
from turnlog.records import Log, Record
from turnlog.store import Store

__all__ = ["Claim", "LeaseLog", "LeaseState", "Ticket"]


class Claim(NamedTuple):
    """Who holds the lease, since which position, for how many seconds, and until when."""

    position: int
    holder: str
    seconds: float
    #: By the wall clock of the holder.
    until: float


class Ticket(NamedTuple):
    """A run that waits. The lower the position, the longer it has waited."""

    position: int
    waiter: str


class LeaseState(NamedTuple):
    """What the log of a lease held when it was read."""

    #: Oldest first. The newest counts; others are left over from writes that were cut off.
    claims: list[Claim]
    #: Oldest first.
    tickets: list[Ticket]
    #: The position that the log ended at.
    last: int

    @property
    def claim(self) -> Claim | None:
        """The newest claim; None if the lease is free."""
        return self.claims[-1] if self.claims else None

    @property
    def holder(self) -> str:
        """Of the newest claim; "" if the lease is free."""
        return self.claim.holder if self.claim else ""

    def is_first(self, waiter: str) -> bool:
        """Whether nobody has waited longer than `waiter`."""
        return not self.tickets or self.tickets[0].waiter == waiter

    def has_ticket(self, waiter: str) -> bool:
        """Whether `waiter` is among those who wait."""
        return any(ticket.waiter == waiter for ticket in self.tickets)

    def useless_without(self, holder: str) -> list[int]:
        """The positions of what can go when `holder` neither holds the lease nor waits."""
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
        """Read it."""
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

    async def draw(self, waiter: str) -> None:
        """Put a ticket at the end."""
        await self._store.append(self._log, [encode({"waiter": waiter})])

    async def remove(self, position: int, expect: int | None = None) -> None:
        """Remove one record. Positions are never used again, so this can hit no other.

        expect: raises `Conflict` unless the log ends there.
        """
        await self._store.remove(self._log, after=position - 1, before=position + 1, expect=expect)


def _entry(record: Record, seconds: float) -> Claim | Ticket:
    """What `record` says. One that can't be read is a claim that lasts for `seconds`."""
    try:
        said = decode(record.payload)
        if "waiter" in said:
            return Ticket(record.position, str(said["waiter"]))
        return Claim(
            record.position, str(said["holder"]), float(said["seconds"]), float(said["until"])
        )
    except (ValueError, TypeError, KeyError):
        return Claim(record.position, "", seconds, float("inf"))
