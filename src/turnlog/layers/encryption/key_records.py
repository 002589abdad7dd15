"""Key records: the wrapped data keys of a conversation, as its log ":keys" holds them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import NamedTuple

from turnlog.items.json import decode, encode

__all__ = ["KEYS", "Destroyed", "KeyRecord", "key_record_of"]

#: The name of the log.
KEYS = ":keys"


class KeyRecord(NamedTuple):
    """A data key in its wrapped form."""

    #: The number that sealed records carry; never 0.
    id: int
    #: Seconds since the epoch at which it was made.
    at: float
    #: The key, encrypted by a `KeyProvider`; None if it lies in another store.
    wrapped: bytes | None
    #: `DataKey.commitment`.
    commitment: bytes

    def payload(self) -> bytes:
        stored: dict[str, object] = {"id": self.id, "at": self.at}
        if self.wrapped is not None:
            stored["wrapped"] = b64encode(self.wrapped).decode()
        return encode({**stored, "commit": b64encode(self.commitment).decode()})


class Destroyed(NamedTuple):
    """Stands for the data keys of a conversation whose keys were destroyed."""

    #: Seconds since the epoch.
    at: float

    def payload(self) -> bytes:
        return encode({"destroyed": self.at})


def key_record_of(payload: bytes) -> KeyRecord | Destroyed | None:
    """What a record of ":keys" holds; None if it can't be read."""
    try:
        found = decode(payload)
        if "destroyed" in found:
            return Destroyed(float(found["destroyed"]))
        wrapped = b64decode(found["wrapped"], validate=True) if "wrapped" in found else None
        commitment = b64decode(found["commit"], validate=True)
        return KeyRecord(int(found["id"]), float(found["at"]), wrapped, commitment)
    except (ValueError, TypeError, KeyError):
        return None
