"""Unopened records: a layer that could not open some of them, to test what a session does then."""

from __future__ import annotations

from turnlog.records import Log, Record, Records, Unopened
from turnlog.store import Head, Layer, Store

__all__ = ["Unopening"]


class Unopening(Layer):
    """Gives chosen records and notes as `Unopened`, as if they had been tampered with.

    problem: what it says of them.
    """

    def __init__(self, inner: Store, problem: str = "it was damaged on purpose") -> None:
        super().__init__(inner)
        self._problem = problem
        self._records: set[tuple[Log, int]] = set()
        self._notes: set[Log] = set()

    def damage(self, log: Log, *positions: int) -> None:
        """From now on, the records at `positions` can't be opened."""
        self._records.update((log, position) for position in positions)

    def damage_note(self, log: Log) -> None:
        """From now on, the note of `log` can't be opened."""
        self._notes.add(log)

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        oldest: bool = False,
    ) -> Records:
        records = await super().read(log, after=after, before=before, limit=limit, oldest=oldest)
        return Records.of([self._seen(log, record) for record in records])

    async def logs(self, session: str) -> list[Head]:
        return [self._head(head) for head in await super().logs(session)]

    def _seen(self, log: Log, record: Record) -> Record:
        if (log, record.position) not in self._records:
            return record
        return record._replace(payload=Unopened(record.payload, self._problem))

    def _head(self, head: Head) -> Head:
        if head.log not in self._notes:
            return head
        return head._replace(note=Unopened(head.note, self._problem))
