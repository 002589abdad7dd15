"""Observations: payloads, positions, heads and sessions of a store, read through its verbs."""

from __future__ import annotations

from typing import TypeAlias

from turnlog.records import Log, Records
from turnlog.store import Head, Store

__all__ = [
    "Sight",
    "all_sessions",
    "end_of",
    "fill",
    "head_of",
    "payloads_of",
    "positions_of",
    "seen",
]

#: Every head and record of one session.
Sight: TypeAlias = list[tuple[Head, Records]]


async def payloads_of(store: Store, log: Log) -> list[bytes]:
    """All payloads of `log`, oldest first."""
    return list((await store.read(log)).payloads)


async def positions_of(store: Store, log: Log) -> list[int]:
    """All positions of `log`, oldest first."""
    return list((await store.read(log)).positions)


async def end_of(store: Store, log: Log) -> int:
    """The position that `log` ends at, 0 when it is empty."""
    newest = await store.read(log, limit=1)
    return newest.positions[-1] if newest else 0


async def head_of(store: Store, log: Log) -> Head:
    """The one head of `log`."""
    (head,) = [head for head in await store.logs(log.session) if head.log == log]
    return head


async def seen(store: Store, session: str) -> Sight:
    """Every log of `session`, its head and its records."""
    return [(head, await store.read(head.log)) for head in await store.logs(session)]


async def all_sessions(
    store: Store, *, prefix: str = "", page: int = 50, oldest: bool = False
) -> list[str]:
    """The ids of all sessions in the order of `Store.sessions`, read page by page."""
    found: list[str] = []
    heads = await store.sessions(prefix=prefix, limit=page, oldest=oldest)
    while heads:
        shown = [head.log.session for head in heads]
        assert len(shown) <= page, "a page shows more than its limit"
        assert not set(shown) & set(found), "a session is shown on two pages"
        found += shown
        heads = await store.sessions(
            prefix=prefix, after=heads[-1].cursor, limit=page, oldest=oldest
        )
    return found


async def fill(store: Store, *sessions: str) -> None:
    """Give each session three logs with two records and a note each."""
    for session in sessions:
        for name in ("main", "side", ":usage"):
            await store.append(Log(session, name), [session.encode(), name.encode()])
            await store.annotate(Log(session, name), name.encode())
