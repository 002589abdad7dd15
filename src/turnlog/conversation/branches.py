"""Branches: a fork is a new branch that begins as a copy of another one.

A copy, not a reference: so popping, clearing and deleting any branch stay allowed.
"""

from __future__ import annotations

import copy
from bisect import bisect_right
from typing import Protocol, TypeVar
from uuid import uuid4

from turnlog.conversation.turns.endings import Endings
from turnlog.items.json import encode
from turnlog.records import Log, Records
from turnlog.store import Store

__all__ = ["OnBranch", "fork"]


class OnBranch(Protocol):
    """A session on one branch of a stored conversation; `StoredSession` is one."""

    session_id: str
    branch: str
    store: Store
    closed: bool


S = TypeVar("S", bound=OnBranch)


async def fork(session: S, name: str | None = None, at: int | None = None) -> S:
    """A session of the same kind on a new branch, with a copy of the records of `session`.

    name: of the new branch; one that nobody has used is made up for None.
    at: the position of the last record that is copied; None copies all, 0 none.

    Raises `Conflict` if the branch `name` holds records already, `ValueError` if a branch
    can't have that name.
    """
    name = f"fork-{uuid4().hex[:12]}" if name is None else name
    if not name or name.startswith(":"):
        raise ValueError(f"a branch can't be named {name!r}: a name has text and no ':' in front")
    source, target = Log(session.session_id, session.branch), Log(session.session_id, name)
    records = await session.store.read(source, before=None if at is None else at + 1)
    last = await session.store.append(target, records.payloads, expect=0)
    await _copy_ending(session.store, source, target, records, last)
    origin = {"branch": source.name, "position": records.positions[-1] if records else 0}
    await session.store.annotate(target, encode({"forked_from": origin}))
    forked = copy.copy(session)
    forked.branch = name
    return forked


async def _copy_ending(store: Store, source: Log, target: Log, copied: Records, last: int) -> None:
    """Mark those turns as over in `target` that are marked in `source`.

    last: the position in `target` of the last record that was copied.
    """
    over = bisect_right(copied.positions, await Endings(store, source).newest())
    if over:
        kept = await store.read(target, before=last + 1, limit=len(copied) - over + 1)
        await Endings(store, target).mark(kept.positions[0])
