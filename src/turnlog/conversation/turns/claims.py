"""Claims and tickets: the records by which a run holds the lease on a log, or waits for it.

The log `:lease` holds one claim, or nothing while the lease is free. The log `:queue` holds the
tickets of the runs that wait, in the order in which they came.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

from turnlog.changes import Append, Change, Check, Committed, Key, Remove
from turnlog.conversation.opened import check_keyed
from turnlog.errors import Conflict
from turnlog.items.json import Item, decode, encode
from turnlog.loops.processes import own_process
from turnlog.records import Log, Record, Unopened
from turnlog.store import Store

_logger = logging.getLogger(__name__)

__all__ = ["RENEWALS", "Claim", "Claims", "Ticket"]

#: How often a claim is renewed in the time that it lasts.
RENEWALS = 3


class Claim(NamedTuple):
    """A record by which a run holds the lease, until a time.

    seconds: how long the claim lasts.
    """

    position: int
    holder: str
    seconds: float
    #: Seconds since the epoch, by the wall clock of the holder.
    until: float
    #: The process of the holder, as `own_process` names it; None if that is not known.
    process: str | None = None

    @property
    def interval(self) -> float:
        """The seconds after which the holder renews it."""
        return self.seconds / RENEWALS


class Ticket(NamedTuple):
    """A record by which a run waits. The lowest position has waited longest."""

    position: int
    waiter: str
    #: The process of the waiter; None if that is not known.
    process: str | None = None


class Claims:
    """The claims and tickets on `guarded`, and the changes that a run makes in them.

    seconds: how long a claim lasts.
    """

    def __init__(self, store: Store, guarded: Log, seconds: float) -> None:
        self.store = store
        #: The log that the lease guards.
        self.guarded = guarded
        self._lease = guarded.beside("lease")
        self._queue = guarded.beside("queue")
        self._seconds = seconds
        self._unopened = 0  # the position of a record that was logged because it is not opened

    def caused(self, conflict: Conflict) -> bool:
        """Whether the lease or its queue caused `conflict`."""
        return conflict.log in (self._lease, self._queue)

    async def commit(self, changes: Sequence[Change], key: Key | None = None) -> Committed:
        """Make `changes` in the logs of the session."""
        return await self.store.commit(self._lease.session, changes, key=key)

    async def newest(self) -> Claim | None:
        """The claim in the log; None if the lease is free."""
        records = await self.store.read(self._lease, limit=1)
        if not records:
            return None
        self._check(self._lease, records[0])
        return _claim(records[0], self._seconds)

    async def first(self) -> Ticket | None:
        """The ticket of the run that has waited longest; None if no run waits."""
        records = await self.store.read(self._queue, limit=1, oldest=True)
        if not records:
            return None
        self._check(self._queue, records[0])
        return _ticket(records[0])

    async def tickets_of(self, waiter: str) -> list[int]:
        """The positions of all tickets of a run."""
        tickets = map(_ticket, await self.store.read(self._queue))
        return [ticket.position for ticket in tickets if ticket.waiter == waiter]

    def _check(self, log: Log, record: Record) -> None:
        """Log once if a layer could not open `record`.

        Raises `Unreadable` for an encrypted one that no layer was asked to open.
        """
        check_keyed(log, record)
        if isinstance(record.payload, Unopened) and record.position != self._unopened:
            self._unopened = record.position
            what = "session %r, log %r: record %d counts as one of an unknown run: %s"
            _logger.warning(what, *log, record.position, record.payload.problem)

    def claim(self, holder: str, position: int) -> Append:
        """Claims the lease for `holder`.

        position: of the claim that this one replaces; 0 if the lease is free.
        """
        until = time.time() + self._seconds
        claim = {"holder": holder, "seconds": self._seconds, "until": until, **_process()}
        return Append(self._lease.name, [encode(claim)], position, cut=0 if position else None)

    def held(self, position: int) -> Check:
        """Checks that the claim at `position` still counts."""
        return Check(self._lease.name, position)

    def free(self, position: int) -> Remove:
        """Gives up the claim at `position`."""
        return Remove(self._lease.name, expect=position)

    def nobody_waits(self) -> Check:
        """Checks that there is no ticket."""
        return Check(self._queue.name, 0)

    def ticket(self, waiter: str) -> Append:
        """Adds a ticket behind those of the runs that wait already."""
        return Append(self._queue.name, [encode({"waiter": waiter, **_process()})])

    def leave(self, position: int) -> Remove:
        """Removes the ticket at `position`, and no other: a position is never used again."""
        return Remove(self._queue.name, after=position - 1, before=position + 1)

    def served(self, position: int) -> Remove:
        """Removes the tickets up to `position`."""
        return Remove(self._queue.name, before=position + 1)


def _claim(record: Record, seconds: float) -> Claim:
    """The claim in `record`. One that can't be read lasts for `seconds`.

    So a record that was tampered with delays a run and never stops it. The holder, if it lives,
    is fenced by the position of its claim, whatever is in it.
    """
    try:
        entry = decode(record.payload)
        lasts, until = float(entry["seconds"]), float(entry["until"])
        return Claim(record.position, str(entry["holder"]), lasts, until, _process_in(entry))
    except (ValueError, TypeError, KeyError):
        return Claim(record.position, "", seconds, float("inf"))


def _ticket(record: Record) -> Ticket:
    try:
        entry = decode(record.payload)
        return Ticket(record.position, str(entry["waiter"]), _process_in(entry))
    except (ValueError, TypeError, KeyError):
        return Ticket(record.position, "")


def _process() -> Item:
    """Names this process in a claim or a ticket. Older ones don't have it."""
    process = own_process()
    return {} if process is None else {"process": process}


def _process_in(entry: Item) -> str | None:
    process = entry.get("process")
    return process if isinstance(process, str) else None
