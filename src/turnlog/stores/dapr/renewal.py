"""How a session with a time to live stays whole while it is in use.

The head of a log is written by every write, and so lives its ttl from then on. Everything
else is written to live for twice the ttl, and written anew once half the ttl has passed. So
the head is the first to go, and what it points at is there until then.
"""

from __future__ import annotations

from collections.abc import Iterable

from dapr.clients.exceptions import DaprGrpcError

from turnlog.records import Log
from turnlog.stores.dapr.cells import Cell
from turnlog.stores.dapr.clock import now
from turnlog.stores.dapr.documents import HeadDocument, SessionDocument
from turnlog.stores.dapr.keys import place_of
from turnlog.stores.dapr.roster import Roster
from turnlog.stores.dapr.sidecar import Sidecar
from turnlog.stores.dapr.tree import Tree

__all__ = ["Renewal"]

#: Documents that are read and written anew at once.
_AT_ONCE = 64


class Renewal:
    """Writes the documents of a session anew."""

    def __init__(self, sidecar: Sidecar, roster: Roster) -> None:
        self._sidecar = sidecar
        self._roster = roster

    def is_due(self, session: SessionDocument | None) -> bool:
        """Whether half the time to live of `session` has passed since it was last done."""
        if session is None or self._sidecar.ttl is None:
            return False
        return now() - session.renewed > self._sidecar.ttl * 1_000_000 // 2

    async def renew(self, logs: Iterable[Log]) -> None:
        """Write all documents of `logs`, which are all of one session, anew."""
        logs = list(logs)
        for log in logs:
            await self._renew_log(log)
        await self._roster.renewed(logs[0].session)

    async def _renew_log(self, log: Log) -> None:
        place = place_of(log)
        document = (await self._sidecar.find(place.head)).get(place.head)
        if document is None:
            return
        head = HeadDocument.of_json(Cell.of(place.head, document).body)
        tree = Tree(self._sidecar, place)
        listed = await tree.beneath(head.key_refs)
        keys = [place.document(ref.name) for ref in await tree.beneath(head.refs)]
        keys += [place.document(ref.name) for ref in listed]
        keys += [place.written(each) for each in await tree.names(listed)]
        for start in range(0, len(keys), _AT_ONCE):
            found = await self._sidecar.find(*keys[start : start + _AT_ONCE])
            await self._sidecar.save({key: found[key].data for key in found})
        try:
            await self._sidecar.swap(place.head, document.data, document.etag)
        except DaprGrpcError:
            # Whoever was first has written it anew.
            if (await self._sidecar.find(place.head)).get(place.head) == document:
                raise
