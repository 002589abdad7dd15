"""Encryption workloads: the layer, the SDK's wrapper around its own session, and the plain store.

"bare" is Turnlog without encryption on the same database. Keys are loaded before the clock starts.
"""

import os
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import agents
from agents.extensions.memory import EncryptedSession as TheirSession

from bench.harness import Workload
from turnlog import Encrypted, Keyring, StoredSession
from turnlog.items.json import Item
from turnlog.store import Store
from turnlog.stores.sqlalchemy import SQLAlchemyStore, Tables
from turnlog.stores.sqlite import SQLiteStore

__all__ = ["postgresql_workloads", "sqlite_workloads"]

#: Makes a session of an id.
_Make: TypeAlias = Callable[[str], Any]
#: Opens a database in a folder, for as long as a block lasts.
_Open: TypeAlias = Callable[[Path], "Any"]

ITEMS: list[Item] = [
    {"role": "assistant" if n % 2 else "user", "content": f"message {n}: " + "what was said, " * 8}
    for n in range(1_000)
]
ROUNDS = 20
_fresh = count(1)


def sqlite_workloads() -> list[Workload]:
    """The workloads on a file."""
    return [
        _compare("encrypted: add 1,000", _add, _ours, _plain, "4 x, 74 %", _theirs),
        _compare("encrypted: read 1,000", _read, _ours, _plain, "6 x, 74 %", _theirs),
        _compare("encrypted: turn of 10 items", _turn, _ours, _plain, "no goal"),
    ]


def postgresql_workloads(url: str) -> list[Workload]:
    """The workloads on the server at `url`, an SQLAlchemy URL."""
    on_server, bare = partial(_engine, url, _encrypted), partial(_engine, url, _as_it_is)
    return [
        _compare("postgresql: encrypted: add 4", _add_four, on_server, bare, "no goal"),
        _compare("postgresql: encrypted: newest 50 of 1,000", _newest, on_server, bare, "no goal"),
    ]


def _compare(
    name: str,
    work: Callable[[_Make], Awaitable[float]],
    turnlog: _Open,
    bare: _Open,
    goal: str,
    sdk: _Open | None = None,
) -> Workload:
    async def on(opened: _Open, folder: Path) -> float:
        async with opened(folder) as make:
            return await work(make)

    theirs = partial(on, sdk) if sdk else None
    return Workload(name, partial(on, turnlog), theirs, partial(on, bare), goal)


@asynccontextmanager
async def _on(store: Store) -> AsyncIterator[_Make]:
    async with store:
        yield lambda name: StoredSession(name, store)


def _encrypted(store: Store) -> Store:
    return Encrypted(store, Keyring({"bench": os.urandom(32)}))


def _as_it_is(store: Store) -> Store:
    return store


def _ours(folder: Path) -> Any:
    return _on(_encrypted(SQLiteStore(folder / "ours.db")))


def _plain(folder: Path) -> Any:
    return _on(SQLiteStore(folder / "plain.db"))


def _engine(url: str, layer: Callable[[Store], Store], _folder: Path) -> Any:
    number = next(_fresh)
    tables = Tables(f"sealed_{number}", f"sealed_messages_{number}")
    store = SQLAlchemyStore.from_url(url, tables=tables)
    return _on(layer(store))


@asynccontextmanager
async def _theirs(folder: Path) -> AsyncIterator[_Make]:
    key, made = urlsafe_b64encode(os.urandom(32)).decode(), []

    def make(name: str) -> TheirSession:
        made.append(agents.SQLiteSession(name, folder / "theirs.db"))
        return TheirSession(name, made[-1], encryption_key=key)

    yield make
    for session in made:
        session.close()


async def _add(make: _Make) -> float:
    sessions = [make(f"s{n}") for n in range(ROUNDS)]
    for session in sessions:
        await session.add_items(ITEMS[:1])
    return await _timed([partial(session.add_items, ITEMS) for session in sessions])


async def _read(make: _Make) -> float:
    session = make("s")
    await session.add_items(ITEMS)
    assert await session.get_items() == ITEMS
    return await _timed([session.get_items] * ROUNDS)


async def _turn(make: _Make) -> float:
    session = make("s")
    await session.add_items(ITEMS[:20])

    async def turn() -> None:
        async with session.turn("question") as running:
            await running.add(ITEMS[1:10])

    await turn()
    return await _timed([turn] * ROUNDS)


async def _add_four(make: _Make) -> float:
    session = make("s")
    await session.add_items(ITEMS[:4])
    return await _timed([partial(session.add_items, ITEMS[:4])] * 100)


async def _newest(make: _Make) -> float:
    session = make("s")
    await session.add_items(ITEMS)
    return await _timed([partial(session.get_items, limit=50)] * 100)


async def _timed(calls: list[Callable[[], Awaitable[object]]]) -> float:
    """Seconds that one of the calls takes."""
    start = perf_counter()
    for call in calls:
        await call()
    return (perf_counter() - start) / len(calls)
