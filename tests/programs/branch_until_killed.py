"""Forks, rewinds, clearings and compactions, one after another, until their process is killed."""

import asyncio
import multiprocessing
import os
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from turnlog import BranchNameUsed, StoredSession, open_store
from turnlog.items.json import Item
from turnlog.testing.five_turns import texts

__all__ = ["TALK", "forked"]

#: What "main" holds before each operation: four turns.
TALK: list[Item] = [
    item
    for number in range(4)
    for item in (
        {"role": "user", "content": f"question {number}"},
        {"role": "assistant", "content": f"answer {number}"},
    )
]


def forked(work: str, url: str, session: str) -> tuple[BaseProcess, Connection]:
    """A process that does `work` with a conversation of its own each time, and tells which."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "turnlog.stores.sqlalchemy", "turnlog.stores.redis"])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, url, session, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _run(work: str, url: str, session: str, told: Connection) -> None:
    asyncio.run(_work(work, url, session, told.fileno()))


async def _work(work: str, url: str, session: str, told: int) -> None:
    async with open_store(url) as store:
        if work == "take":
            await _take(StoredSession(session, store), told)
            return
        number = 0
        while True:
            each = StoredSession(f"{session}.{number}", store)
            await each.add_items(TALK)
            if work == "clear":
                await each.fork("b")
                await each.describe(title="T", owner="o")
            os.write(told, b"%d\n" % number)  # about to begin
            await _do(work, each)
            number += 1


async def _do(work: str, session: StoredSession) -> None:
    if work == "fork":
        await session.fork("b", at=3)
    elif work == "compact":
        await session.compact(texts)
        await session.fork("b", at=4)
    elif work == "rewind":
        await session.rewind(turns=2, keep_as="b")
    else:
        await session.clear_session()


async def _take(session: StoredSession, told: int) -> None:
    """Fork under twenty names that another process wants too; tell which were given."""
    os.write(told, b"ready\n")
    for number in range(20):
        try:
            forked = await session.fork(f"name {number}")
        except BranchNameUsed:
            continue
        await forked.add_items([{"role": "user", "content": str(os.getpid())}])
        os.write(told, b"%d\n" % number)
