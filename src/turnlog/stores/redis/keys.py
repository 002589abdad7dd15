"""What the keys of a session are called.

All of them share one hash tag, so that a Cluster keeps them on one node and a script may
touch them together. The id in it is escaped, so that no id can end the tag or be empty in
it; and no key of ours looks like one that the OpenAI Agents SDK makes, whatever the ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from turnlog.records import Log

__all__ = ["SHARDS", "Adopted", "Keys"]

#: Into how many sorted sets the list of sessions is split, so that a Cluster spreads it.
SHARDS = 16

_ESCAPES = str.maketrans({"%": "%25", "{": "%7B", "}": "%7D"})


class Adopted(NamedTuple):
    """The keys under which the SDK keeps a session."""

    head: str
    messages: str
    counter: str


class Keys:
    """The names of all keys below one prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def stem(self, session: str) -> str:
        """What every key of the session begins with."""
        return f"{self._prefix}/{{={session.translate(_ESCAPES)}}}"

    def of(self, log: Log, token: str) -> list[str]:
        """Heads of the session; records and keys of the log; what outlives it; one write."""
        stem = self.stem(log.session)
        return [
            f"{stem}/heads",
            f"{stem}/records/{log.name}",
            f"{stem}/keys/{log.name}",
            f"{stem}/past/{log.name}",
            f"{stem}/write/{token}",
        ]

    def heads(self, session: str) -> str:
        """The hash that holds what is known of each log of the session."""
        return f"{self.stem(session)}/heads"

    def records(self, log: Log) -> str:
        """The list of the log's records."""
        return f"{self.stem(log.session)}/records/{log.name}"

    def directory(self, session: str) -> str:
        """The sorted set that lists the session."""
        return self.shards()[crc32(session.encode()) % SHARDS]

    def shards(self) -> Sequence[str]:
        """All sorted sets that list sessions."""
        return [f"{self._prefix}/sessions/{number}" for number in range(SHARDS)]

    def adopted(self, session: str) -> Adopted:
        """Where the SDK keeps the session of this id."""
        key = f"{self._prefix}:{session}"
        return Adopted(key, f"{key}:messages", f"{key}:counter")
