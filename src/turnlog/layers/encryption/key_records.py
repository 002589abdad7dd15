"""Key records: the wrapped data keys of a conversation, as its log ":keys" holds them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from math import isfinite
from typing import NamedTuple

from turnlog.items.json import decode, encode

__all__ = ["KEYS", "Destroyed", "KeyRecord", "key_record_of"]

#: The name of the log.
KEYS = ":keys"
_IDS = range(1, 2**32)
_COMMITMENT = 32


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
    #: The digest key of the conversation, as `DataKey.with_digests_of` has sealed it. None for a
    #: first data key, of which the digest key is derived.
    digests: bytes | None = None

    def payload(self) -> bytes:
        stored: dict[str, object] = {"id": self.id, "at": self.at}
        if self.wrapped is not None:
            stored["wrapped"] = b64encode(self.wrapped).decode()
        if self.digests is not None:
            stored["digests"] = b64encode(self.digests).decode()
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
            return Destroyed(_moment(found["destroyed"]))
        wrapped, digests = (
            b64decode(found[name], validate=True) if name in found else None
            for name in ("wrapped", "digests")
        )
        commitment = b64decode(found["commit"], validate=True)
        record = KeyRecord(found["id"], _moment(found["at"]), wrapped, commitment, digests)
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    return record if _is_possible(record) else None


def _moment(stored: float) -> float:
    moment = float(stored)
    if not isfinite(moment):
        raise ValueError("a time is a number of seconds")
    return moment


def _is_possible(record: KeyRecord) -> bool:
    """Whether a key can have such an id and commitment. Anybody may have written the record."""
    is_id = type(record.id) is int and record.id in _IDS  # and neither a bool nor a float
    return is_id and len(record.commitment) == _COMMITMENT
