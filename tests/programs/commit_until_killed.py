"""Commits to several logs of a session, one after another, until their process is killed.

`forked` starts them in a child of a server that has all drivers loaded already, so that a thousand
processes take little time.
"""

import asyncio
import itertools
import multiprocessing
import os
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from dapr.conf import settings

from turnlog import Log, Store, open_store
from turnlog.changes import Annotate, Append, Change, Forget, Key, Remove, Replace

__all__ = ["TASKS", "changes", "commit", "forked", "key"]

#: How many sessions are written to at the same time.
TASKS = 3


async def changes(store: Store, session: str, number: int) -> Sequence[Change]:
    """What the commit of this number does: it writes to six logs, in all ways."""
    payload = b"%d" % number
    side: list[Change] = [
        Append("side", [payload, payload]),
        Append("side", [payload], cut=0),
        Forget("side"),
        Append("side", [payload]),
        Remove("side"),
    ]
    edited = await store.read(Log(session, "edited"))
    return [
        Append("main", [payload, payload], times=[86_400.0, None]),
        Annotate("main", payload),
        Append(":lease", [payload], cut=0),
        Replace("edited", edited.positions, [payload] * len(edited), edited.payloads)
        if edited
        else Append("edited", [payload] * 3),
        side[number % len(side)],
        await _replacement(store, Log(session, "kept"), payload),
        Append(":usage", [payload]),
    ]


async def _replacement(store: Store, log: Log, payload: bytes) -> Change:
    """Gives the one record of `log` this payload, or adds it."""
    kept = await store.read(log)
    if not kept:
        return Append(log.name, [payload])
    return Replace(log.name, kept.positions, [payload], list(kept.payloads))


def key(number: int) -> Key:
    return Key(f"commit {number}", b"%d" % number, brief=number % 2 == 1)


async def commit(store: Store, session: str, number: int) -> bool:
    """Make the commit of this number; returns whether it had been made before."""
    made = await changes(store, session, number)
    return (await store.commit(session, made, key=key(number))).replayed


def forked(url: str, sessions: Sequence[str]) -> tuple[BaseProcess, Connection]:
    """A process that commits to each session, and what it says of acknowledged commits."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "turnlog.stores.sqlalchemy", "turnlog.stores.redis"])
    port = settings.DAPR_HTTP_PORT  # where a sidecar says that it is well
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(url, sessions, theirs, port), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _run(url: str, sessions: Sequence[str], told: Connection, port: int) -> None:
    settings.DAPR_HTTP_PORT = port  # type: ignore[attr-defined]  # made at run time
    asyncio.run(_write(url, sessions, told.fileno()))


async def _write(url: str, sessions: Sequence[str], told: int) -> None:
    async with open_store(url) as store:
        await asyncio.gather(
            *(_write_to(store, session, place, told) for place, session in enumerate(sessions))
        )


async def _write_to(store: Store, session: str, place: int, told: int) -> None:
    for number in itertools.count():
        await commit(store, session, number)
        os.write(told, b"%d %d\n" % (place, number))  # a line is written whole
