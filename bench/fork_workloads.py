"""Forks of 100,000 items on SQLite, PostgreSQL and Redis, beside reading these items.

In the table, the column of the bare driver is `get_items()` of the same conversation.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from time import perf_counter

from bench.harness import Contender, Workload
from turnlog import StoredSession, open_store
from turnlog.items.json import Item

__all__ = ["workloads"]

_COUNT, _AT_ONCE = 100_000, 5_000
_fresh = count(1)


def workloads(kind: str, url: str | None = None) -> list[Workload]:
    """The workload on one store.

    url: of the store; None means an SQLite file.
    """
    name = f"{kind}: fork of {_COUNT:,}, beside reading"
    return [
        Workload(
            name,
            _timed(url, StoredSession.fork),
            None,
            _timed(url, StoredSession.get_items),
            "50 %",
        )
    ]


def _timed(
    url: str | None, work: Callable[[StoredSession], Coroutine[None, None, object]]
) -> Contender:
    async def contender(folder: Path) -> float:
        async with _filled(url, folder) as session:
            start = perf_counter()
            await work(session)
            return perf_counter() - start

    return contender


@asynccontextmanager
async def _filled(url: str | None, folder: Path) -> AsyncIterator[StoredSession]:
    """A conversation of its own, which is deleted at the end."""
    async with open_store(url or str(folder / "conversations.db")) as store:
        session = StoredSession(f"fork-{next(_fresh)}", store)
        for start in range(0, _COUNT, _AT_ONCE):
            await session.add_items(map(_item, range(start, start + _AT_ONCE)))
        yield session
        await store.delete(session.session_id)


def _item(number: int) -> Item:
    return {"role": "user" if number % 2 else "assistant", "content": f"message {number} " * 12}
