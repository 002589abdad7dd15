"""Processes on one conversation: some compact it and undo that, and one changes what it holds.

The one that changes it is the only one, so it knows what has to be shown after each act.
"""

import asyncio
import json
import multiprocessing
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from random import Random
from typing import NamedTuple

from tests.conversation.compaction.listing_summariser import listing, numbered_turn, numbers
from turnlog import Item, StoredSession, open_store

__all__ = ["SESSION", "Started", "changing", "compacting", "shared_event"]

#: The conversation.
SESSION = "s"


class Started(NamedTuple):
    """A process, and the end of the pipe at which it says one line when it has ended well."""

    process: BaseProcess
    told: Connection

    def result(self) -> list[int]:
        """The numbers that it says at its end. It fails if the process has failed."""
        said = self.told.recv_bytes()
        self.process.join()
        assert self.process.exitcode == 0
        return list(json.loads(said))


def compacting(url: str, seed: int, has_compacted: Event, over: Event) -> Started:
    """A process that compacts, and now and then undoes that, until `over` is set.

    It sets `has_compacted` when it has stored a summary, and says how many it has stored.
    """
    return _started(_compact, url, seed, has_compacted, over)


def changing(url: str, seed: int, acts: int, have_compacted: list[Event]) -> Started:
    """A process that adds, pops, rewinds, forks and clears, and looks after each act.

    It makes so many `acts`, and goes on until all of `have_compacted` are set, or for 40 times as
    long. It says which numbers have to be left.
    """
    return _started(_change, url, seed, acts, have_compacted)


def shared_event() -> Event:
    """An event that processes share."""
    return _context().Event()


def _context() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "turnlog.stores.sqlalchemy", "turnlog.stores.redis"])
    return context


def _started(work: Callable[..., Awaitable[list[int]]], url: str, *given: object) -> Started:
    context = _context()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, theirs, url, *given), daemon=True)
    process.start()
    theirs.close()
    return Started(process, ours)


def _run(work: Callable[..., Awaitable[list[int]]], told: Connection, *given: object) -> None:
    told.send_bytes(json.dumps(asyncio.run(_awaited(work, *given))).encode())


async def _awaited(work: Callable[..., Awaitable[list[int]]], *given: object) -> list[int]:
    return await work(*given)


async def _compact(url: str, seed: int, has_compacted: Event, over: Event) -> list[int]:
    chance, made = Random(seed), 0

    async def slowly(items: list[Item]) -> list[Item]:
        await asyncio.sleep(chance.uniform(0, 0.01))
        return await listing(items)

    async with open_store(url) as store:
        while not over.is_set():
            session = StoredSession(SESSION, store)
            if chance.random() < 0.2:
                await session.drop_summary()
            elif await session.compact(slowly, keep=chance.randint(0, 3)):
                made += 1
                has_compacted.set()
            await asyncio.sleep(chance.uniform(0, 0.005))
    return [made]


async def _change(url: str, seed: int, acts: int, have_compacted: list[Event]) -> list[int]:
    async with open_store(url) as store:
        changes = _Changes(StoredSession(SESSION, store), Random(seed))
        for _ in range(4):
            await changes.add()
        for number in range(40 * acts):
            if number >= acts and all(event.is_set() for event in have_compacted):
                break
            await changes.chance.choice(changes.acts)()
            await changes.look(StoredSession(SESSION, store))
        return changes.left


class _Changes:
    """The acts of the process that changes the conversation.

    left: the numbers of the items that have to be there now.
    """

    def __init__(self, session: StoredSession, chance: Random) -> None:
        self.chance = chance
        self.left: list[int] = []
        self._session = session
        self._next = 0
        self.acts = [self.add] * 6 + [self._pop] * 3 + [self._rewind, self._fork]
        self.acts += [self._clear] if chance.random() < 0.5 else []

    async def add(self) -> None:
        items = numbered_turn(self._next, calls=self.chance.random() < 0.5)
        self._next += 10
        await self._session.add_items(items)
        self.left += numbers(items)

    async def _pop(self) -> None:
        popped = await self._session.pop_item()
        assert (numbers([popped]) if popped else []) == self.left[-1:]
        del self.left[-1:]

    async def _rewind(self) -> None:
        turns = [number for number in self.left if number % 10 == 0]
        if turns:
            back = self.chance.randint(1, min(3, len(turns)))
            await self._session.rewind(turns=back)
            del self.left[self.left.index(turns[-back]) :]

    async def _fork(self) -> None:
        if self.left:
            await self.look(await self._session.fork())

    async def _clear(self) -> None:
        if self.chance.random() < 0.2:
            await self._session.clear_session()
            self.left.clear()

    async def look(self, session: StoredSession) -> None:
        """All that is left is shown once, in its order, whatever is compacted."""
        for read in (session.get_items, session.view, self._session.get_items):
            assert numbers(await read()) == self.left
