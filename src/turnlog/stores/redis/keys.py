"""Key names of sessions.

All keys of a session share one hash tag, so that a Cluster keeps them on one node and a
script may use them together. The id in the tag is escaped, so that no id can end the tag
or leave it empty. No id makes a key that looks like one of the OpenAI Agents SDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from turnlog.records import Log

__all__ = ["Keys"]

#: The number of parts that the directory has on a Cluster, which spreads them.
_SHARDS = 16

_ESCAPES = str.maketrans({"%": "%25", "{": "%7B", "}": "%7D"})


class Keys:
    """The names of all keys below one prefix."""

    def __init__(self, prefix: str, is_cluster: bool) -> None:
        self.prefix = prefix
        self._shards = _SHARDS if is_cluster else 1

    def logs(self, session: str) -> str:
        """The hash that holds the heads and notes of the session's logs."""
        return f"{self._stem(session)}/logs"

    def heads(self, session: str) -> str:
        """What older versions used in place of `logs`; now a text, which they refuse."""
        return f"{self._stem(session)}/heads"

    def token(self, session: str, token: str) -> str:
        """The text that holds the answer to one write."""
        return f"{self._stem(session)}/write/{token}"

    def records(self, log: Log) -> str:
        """The list of the log's records."""
        return f"{self._stem(log.session)}/records/{log.name}"

    def messages(self, session: str) -> str:
        """The SDK's list of messages for the session of this id."""
        return f"{self.prefix}:{session}:messages"

    def shard(self, session: str) -> str:
        """The sorted set that lists the session: see `scripts.listing`."""
        return self.shards()[crc32(session.encode()) % self._shards]

    def shards(self) -> Sequence[str]:
        """All sorted sets that list sessions."""
        return [f"{self.prefix}/{{sessions/{number}}}/times" for number in range(self._shards)]

    def older_shards(self) -> Sequence[str]:
        """All sorted sets in which an older version lists sessions."""
        return [f"{self.prefix}/sessions/{number}" for number in range(_SHARDS)]

    def _stem(self, session: str) -> str:
        return f"{self.prefix}/{{={session.translate(_ESCAPES)}}}"
