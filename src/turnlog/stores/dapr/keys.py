"""Keys of documents.

All begin with ``turnlog:`` and none ends in ``:messages`` or ``:metadata``, as the keys of
the OpenAI Agents SDK do. They are lower case ASCII without ``||``, which Dapr reserves, and
short: some components ignore the case of keys, some cut them off at 255 characters.
"""

from __future__ import annotations

import hashlib
import string
from typing import NamedTuple

from turnlog.records import Log

__all__ = [
    "SHARDS",
    "Paths",
    "digest",
    "paths_of",
    "root_key",
    "session_paths",
    "shard_of",
    "shards",
]

#: The number of parts of the directory of sessions.
SHARDS = 16

_PLAIN = frozenset((string.ascii_lowercase + string.digits + "_-.").encode())
_LONGEST = 64


class Paths(NamedTuple):
    """The keys of documents that belong together: those of a log, or of a whole session."""

    prefix: str

    @property
    def head(self) -> str:
        """The key of a document that changes: a part of the directory, or an older log."""
        return f"{self.prefix}:head"

    def document(self, name: str) -> str:
        """The key of the sealed document of this name."""
        return f"{self.prefix}:d{name}"

    def written(self, digest: str) -> str:
        """The key of the document that keeps the key of a commit, by its hash."""
        return f"{self.prefix}:k{digest}"


def root_key(session: str) -> str:
    """The key of the root of `session`."""
    return f"turnlog:{_escaped(session)}:logs"


def session_paths(session: str) -> Paths:
    """The keys of the documents that belong to no single log of `session`."""
    return Paths(f"turnlog:{_escaped(session)}")


def paths_of(log: Log) -> Paths:
    """The keys of the sealed documents of `log`."""
    return Paths(f"turnlog:{_escaped(log.session)}:{_escaped(log.name)}")


def shard_of(session: str) -> int:
    """The number of the part of the directory that lists `session`."""
    return int(digest(session), 16) % SHARDS


def shards() -> list[Paths]:
    """The keys of all parts of the directory."""
    return [Paths(f"turnlog:~sessions:{n}") for n in range(SHARDS)]


def digest(text: str) -> str:
    """A digest of `text` in 32 characters."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _escaped(text: str) -> str:
    plain = "".join(chr(b) if b in _PLAIN else f"%{b:02x}" for b in text.encode())
    if len(plain) <= _LONGEST:
        return plain
    return f"{plain[: _LONGEST // 2]}~{digest(text)}"
