"""Registry of branches: every name that a branch of a conversation has had, and its origin.

It is a log beside "main" with a record for each fork, written in the same commit as the branch. A
name is given once: whoever forks under a name of his own choice expects the registry to end where
he has read it.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from turnlog.changes import Append
from turnlog.conversation.deletion import mark_of
from turnlog.conversation.opened import check_keyed, check_opened
from turnlog.errors import BranchNameUsed
from turnlog.items.json import decode, encode
from turnlog.records import Log, Record, Records, Unopened
from turnlog.store import Head, Store

__all__ = ["Origin", "Registry", "registered", "registry_of"]


class Origin(NamedTuple):
    """The origin of a branch.

    position: of the last copied record, in the parent; 0 if nothing was copied.
    at: when it was forked, in seconds since the epoch.
    """

    name: str
    parent: str | None
    position: int
    at: float


class Registry(NamedTuple):
    """The branches of one conversation, as they were read.

    heads: of all logs of the conversation, by name.
    origins: of all branches that were ever forked, the oldest first, by name.
    end: where the log of the registry ends.
    unopened: the records that a layer could not open. Branches that they name seem to be new.
    """

    heads: dict[str, Head]
    origins: dict[str, Origin]
    end: int
    unopened: Records

    @classmethod
    async def read(cls, store: Store, session: str) -> Registry:
        """Read what there is now."""
        # The heads first: so each branch that was forked is found in the records.
        heads = {head.log.name: head for head in await store.logs(session)}
        records = await store.read(registry_of(session))
        log, origins, unopened = registry_of(session), {}, []
        for record in records:
            check_keyed(log, record)
            if (origin := _origin(record)) is not None:
                origins[origin.name] = origin
            elif isinstance(record.payload, Unopened):
                unopened.append(record)
        end = records.positions[-1] if records else 0
        return cls(heads, origins, end, Records.of(unopened))

    def names(self) -> list[str]:
        """The branches that exist: "main", the forked ones, and those that were just written to."""
        plain = [head for name, head in self.heads.items() if not name.startswith(":")]
        others = {head.log.name for head in plain} - {"main"}
        forked = [name for name in self.origins if name in others]
        rest = [head for head in plain if head.log.name in others - self.origins.keys()]
        rest.sort(key=lambda head: (head.created_at, head.log.name))
        return ["main", *forked, *(head.log.name for head in rest)]

    def check_free(self, log: Log) -> None:
        """Raise `BranchNameUsed` if the conversation has or had a branch of this name.

        Raises `Unreadable` if that can't be known.
        """
        if log.name == "main" or log.name in self.origins or self._is_known(log):
            raise BranchNameUsed(log)
        check_opened(registry_of(log.session), self.unopened)

    def _is_known(self, log: Log) -> bool:
        return log.name in self.heads or mark_of(log).name in self.heads


def registry_of(session: str) -> Log:
    """The log of the registry."""
    return Log(session).beside("branches")


def registered(source: Log, target: Log, position: int, expect: int | None) -> Append:
    """Enters the branch `target`, a copy of `source` up to `position`.

    expect: where the registry has to end; None for a name that nobody else can choose.
    """
    record = {
        "name": target.name,
        "parent": source.name,
        "position": position,
        "at": time.time(),
    }
    return Append(registry_of(source.session).name, [encode(record)], expect)


def _origin(record: Record) -> Origin | None:
    """The origin in `record`; None if it can't be read."""
    try:
        found = decode(record.payload)
        parent = found.get("parent")
        return Origin(
            str(found["name"]),
            None if parent is None else str(parent),
            int(found.get("position", 0)),
            float(found.get("at", record.created_at)),
        )
    except (ValueError, TypeError, KeyError):
        return None
