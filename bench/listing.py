"""Lists of sessions: what a page of 50 costs, in milliseconds.

    python -m bench.listing                           all databases; make bench ends with it
    python -m bench.listing --only sqlite --sizes 1000 100000

SQLite is measured with 1,000 and 1,000,000 sessions, in a file that we made and in one that the SDK
made and we have written to; PostgreSQL and Redis with 1,000 and 100,000. Each page is measured
newest and oldest first, from the middle of the list, and from its begin with no prefix, a common,
a rare and an absent one. "old" is the worst case: 2 % of the sessions, all of them long unchanged.
"""

import argparse
import asyncio
import random
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import asyncpg
from agents import SQLiteSession as SDKSession
from sqlalchemy.ext.asyncio import create_async_engine

from tests.servers.databases import PostgresServer
from tests.servers.redis import RedisServer
from turnlog.records import Log
from turnlog.store import Cursor, Store
from turnlog.stores.clock import as_text
from turnlog.stores.redis import RedisStore
from turnlog.stores.sqlalchemy import SQLAlchemyStore
from turnlog.stores.sqlite import SQLiteStore

BEGINNING = 1_700_000_000
PREFIXES = {"none": "", "common": "even:", "rare": "rare:", "old": "old:", "absent": "no:"}
ROUNDS = 15


class _Kind(NamedTuple):
    """A kind of database, and how to open one that lists a number of sessions."""

    name: str
    sizes: tuple[int, ...]
    filled: Callable[[int], AbstractAsyncContextManager[Store]]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench.listing", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of sessions")
    parser.add_argument("--only", default="", help="only databases whose name contains this text")
    options = parser.parse_args()
    heading = map(_cell, ["middle", *PREFIXES])
    print(f"{'a page of 50, ms':<20} {'sessions':>10} {'order':<7}", *heading)
    with ExitStack() as servers:
        for kind in _kinds(options.only, servers):
            for size in options.sizes or kind.sizes:
                asyncio.run(_measure(kind, size))


def _kinds(only: str, servers: ExitStack) -> Iterator[_Kind]:
    """Kinds whose name contains `only`; a server is started when it is needed."""
    for maker in ("turnlog", "sdk"):
        if only in (name := f"sqlite ({maker})"):
            yield _Kind(name, (1_000, 1_000_000), partial(_file, maker))
    if only in "postgresql":
        url = servers.enter_context(PostgresServer()).url()
        yield _Kind("postgresql", (1_000, 100_000), partial(_postgresql, url))
    if only in "redis":
        url = servers.enter_context(RedisServer("--appendfsync", "everysec")).url
        yield _Kind("redis", (1_000, 100_000), partial(_redis, url))


async def _measure(kind: _Kind, size: int) -> None:
    async with kind.filled(size) as store:
        middle = await _middle(store, size)
        for oldest in (False, True):
            page = partial(store.sessions, oldest=oldest)
            pages = [partial(page, prefix=prefix) for prefix in PREFIXES.values()]
            times = [await _timed(each) for each in [partial(page, after=middle), *pages]]
            order = "oldest" if oldest else "newest"
            print(f"{kind.name:<20} {size:>10,} {order:<7}", *(f"{each:>7.2f}" for each in times))


async def _middle(store: Store, size: int) -> Cursor:
    """The cursor of a session in the middle of the list."""
    [(session, _)] = [each for place, each in enumerate(_sessions(size)) if place == size // 2]
    [head, *_] = await store.logs(session)
    return head.cursor


async def _timed(page: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        await page()
        times.append(perf_counter() - start)
    return median(times) * 1000


def _sessions(size: int) -> Iterator[tuple[str, int]]:
    """Sessions in the order of their changes, which is not that of their ids, and their times."""
    numbers = random.Random(1).sample(range(size), size)  # noqa: S311 - the same at each run
    for place, number in enumerate(numbers):
        kind = "even" if number % 2 == 0 else "odd"
        kind = "rare" if number < 20 else "old" if place < size // 50 else kind
        yield f"{kind}:{number:08}", BEGINNING + place


@asynccontextmanager
async def _file(maker: str, size: int) -> AsyncIterator[Store]:
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as folder:
        path = Path(folder) / "file.db"
        if maker == "sdk":
            SDKSession("nobody", path).close()
        async with SQLiteStore(path) as store:
            if maker == "turnlog":
                await store.append(Log("nobody"), [b"{}"])
            _fill_file(path, size)
            await store.append(Log("nobody"), [b"{}"])
            yield store


def _fill_file(path: Path, size: int) -> None:
    rows = ((each, at, at) for each, at in _with_texts(size))
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO agent_sessions (session_id, created_at, updated_at) VALUES (?, ?, ?)",
            rows,
        )
        db.execute(
            "INSERT INTO agent_messages (session_id, message_data) "
            "SELECT session_id, '{}' FROM agent_sessions"
        )


def _with_texts(size: int) -> Iterator[tuple[str, str]]:
    return ((session, as_text(at * 1_000_000)) for session, at in _sessions(size))


@asynccontextmanager
async def _postgresql(url: str, size: int) -> AsyncIterator[Store]:
    engine = create_async_engine(url)
    async with SQLAlchemyStore(engine) as store:
        await store.append(Log("nobody"), [b"{}"])
        await _fill_postgresql(url.replace("+asyncpg", ""), size)
        yield store
    await engine.dispose()


async def _fill_postgresql(address: str, size: int) -> None:
    db = await asyncpg.connect(address)
    await db.execute("DELETE FROM agent_sessions WHERE session_id <> 'nobody'")
    times = [datetime.fromtimestamp(at, UTC).replace(tzinfo=None) for _, at in _sessions(size)]
    rows = [
        (session, time, time) for (session, _), time in zip(_sessions(size), times, strict=True)
    ]
    columns = ["session_id", "created_at", "updated_at"]
    await db.copy_records_to_table("agent_sessions", records=rows, columns=columns)
    await db.execute(
        "INSERT INTO agent_messages (session_id, message_data) "
        "SELECT session_id, '{}' FROM agent_sessions"
    )
    await db.execute("ANALYZE")
    await db.close()


@asynccontextmanager
async def _redis(url: str, size: int) -> AsyncIterator[Store]:
    async with RedisStore.from_url(url, key_prefix=f"listing-{size}") as store:
        waiting = []
        for session, _ in _sessions(size):
            # The server takes them in the order in which they are sent.
            waiting.append(store.append(Log(session), [b"{}"]))
            if len(waiting) == 100:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)
        yield store


def _cell(text: str) -> str:
    return f"{text:>7}"


if __name__ == "__main__":
    main()
