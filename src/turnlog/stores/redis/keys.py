"""Key names of sessions.

All keys of a session share one hash tag, so that a Cluster keeps them on one node and a
script may use them together. The id in the tag is escaped, so that no id can end the tag
or leave it empty. No id makes a key that looks like one of the OpenAI Agents SDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from turnlog.records import Log

__all__ = ["SHARDS", "Adopted", "Keys"]

#: The number of sorted sets that make up the list of sessions; a Cluster spreads them.
SHARDS = 16

_ESCAPES = str.maketrans({"%": "%25", "{": "%7B", "}": "%7D"})


class Adopted(NamedTuple):
    """The keys under which the SDK stores a session."""

    head: str
    messages: str
    counter: str


class Keys:
    """The names of all keys below one prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def stem(self, session: str) -> str:
        """The beginning of every key of the session."""
        return f"{self._prefix}/{{={session.translate(_ESCAPES)}}}"

    def of(self, log: Log, token: str) -> list[str]:
        """The keys for a script, in its order: see `scripts`."""
        stem = self.stem(log.session)
        return [
            f"{stem}/heads",
            f"{stem}/records/{log.name}",
            f"{stem}/keys/{log.name}",
            f"{stem}/past/{log.name}",
            f"{stem}/write/{token}",
        ]

    def heads(self, session: str) -> str:
        """The hash that holds the heads and notes of the session's logs."""
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
        """The keys of the SDK for the session of this id."""
        key = f"{self._prefix}:{session}"
        return Adopted(key, f"{key}:messages", f"{key}:counter")
