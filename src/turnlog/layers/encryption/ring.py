"""Ring: the data keys of one conversation, as its log ":keys" held them when it was read."""

from __future__ import annotations

from dataclasses import dataclass, field

from turnlog.errors import Unreadable
from turnlog.layers.encryption.key_records import Destroyed, KeyRecord, key_record_of
from turnlog.layers.encryption.sealing import DataKey
from turnlog.records import Log, Records

__all__ = ["Ring", "ring_of"]

_DESTROYED = (
    "the keys of this conversation were destroyed, so it can't be read or continued any more: "
    "delete it, or use another session id"
)
_DAMAGED = "it should hold a wrapped data key and can't be read, so nothing can be sealed"


@dataclass
class Ring:
    """The data keys of a conversation, as its log ":keys" held them."""

    log: Log
    #: Where ":keys" ended; 0 if the conversation has no data key.
    end: int
    #: The wrapped keys by id, the newest last; with the position of each.
    records: dict[int, tuple[int, KeyRecord]]
    #: When the keys were destroyed, in seconds since the epoch; None if they were not.
    destroyed_at: float | None
    #: By the clock `time.monotonic`.
    loaded_at: float
    #: The keys that were unwrapped so far.
    opened: dict[int, DataKey] = field(default_factory=dict)

    @property
    def newest(self) -> int | None:
        """The id of the key that writes; None if there is none."""
        return next(reversed(self.records)) if self.records else None

    def check_not_destroyed(self) -> None:
        """Raise `Unreadable` if the keys were destroyed."""
        if self.destroyed_at is not None:
            raise Unreadable(self.log, self.end, _DESTROYED)

    def check_writable(self) -> None:
        """Raise `Unreadable` if the conversation has no key and must not be given one."""
        self.check_not_destroyed()
        if self.end and not self.records:
            raise Unreadable(self.log, self.end, _DAMAGED)


def ring_of(log: Log, stored: Records, loaded_at: float) -> Ring:
    """The keys that `stored`, the records of ":keys", hold."""
    records: dict[int, tuple[int, KeyRecord]] = {}
    destroyed_at = None
    for position, payload, _ in stored:
        match key_record_of(payload):
            case KeyRecord() as record:
                records[record.id] = (position, record)
            case Destroyed(at):
                destroyed_at = at
    end = stored.positions[-1] if stored else 0
    return Ring(log, end, records, destroyed_at, loaded_at)
