"""Conversations without a data key: the records that must not be in one."""

from __future__ import annotations

from typing import NamedTuple

from turnlog.errors import Unreadable
from turnlog.layers.encryption.header import is_sealed
from turnlog.layers.encryption.key_records import KEYS
from turnlog.layers.encryption.opening import Opener
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Forbidden", "forbidden"]


class Forbidden(NamedTuple):
    """A record or note that must not be in a conversation that has no data key.

    If the conversation may have been deleted or encrypted since, look once more: the keys are
    missing only if they are not there between two looks that find the same bytes. A position
    alone would not do, because all notes have the position 0.
    """

    log: Log
    position: int
    stored: bytes
    problem: str

    @property
    def error(self) -> Unreadable:
        """The error for the caller."""
        return Unreadable(self.log, self.position, self.problem)


async def forbidden(store: Store, opener: Opener, session: str) -> Forbidden | None:
    """The first such record of `session`, or None.

    Asked before a conversation gets its first data key. All its logs are looked at: with a new
    key, what is sealed in another one would be taken for damaged.
    """
    for head in await store.logs(session):
        if head.log.name != KEYS and (head.note or head.length):
            newest = await store.read(head.log, limit=1)
            stored = [*zip(newest.positions, newest.payloads, strict=True)]
            stored += [(0, head.note)] if is_sealed(head.note) else []
            for position, payload in stored:
                if problem := opener.problem_without_key(head.log, payload):
                    return Forbidden(head.log, position, payload, problem)
    return None
