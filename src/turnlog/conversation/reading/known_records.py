"""Knowledge of a log: which of its records a session has read or written itself."""

from __future__ import annotations

from collections import deque

from turnlog.records import Log, Records

__all__ = ["KnownRecords"]

#: How many writes since the last read are remembered. Older ones count as writes of others.
_MOST_WRITES = 1000


class KnownRecords:
    """The records of `log` that a session knows: all up to `end`, and those that it added since.

    end: the last position of a read of the whole log; 0 if it was empty.
    """

    def __init__(self, log: Log, end: int) -> None:
        self.log = log
        self.end = end
        self._added: deque[tuple[int, int]] = deque(maxlen=_MOST_WRITES)

    def wrote(self, log: Log, end: int, count: int) -> None:
        """The session added `count` records to `log`, which ended at `end` afterwards."""
        if log == self.log:
            self._added.append((end, count))

    def unknown(self, records: Records) -> set[int]:
        """The indexes of those `records` that others have added since."""
        behind = {at for at, position in enumerate(records.positions) if position > self.end}
        places = {position: at for at, position in enumerate(records.positions)}
        for end, count in self._added:
            last = places.get(end, -1)
            behind -= set(range(last - count + 1, last + 1))
        return behind

    def is_gone(self, records: Records) -> bool:
        """Whether the last record of that read was removed; `records` are all there are."""
        return self.end > 0 and self.end not in records.positions
