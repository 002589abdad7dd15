"""Listing on SQLite: what a page of 50 of the list of sessions costs, in milliseconds.

    python -m bench.listing                           1,000 and 1,000,000 sessions
    python -m bench.listing --sizes 1000 100000

Each size is measured on a file that we made and on one that the SDK made and we have written to;
newest and oldest first, the first page and one from the middle, with no prefix, a common, a rare
and an absent one. "old" is the worst case: 2 % of the sessions, all of them long unchanged.
"""

import argparse
import asyncio
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter

from agents import SQLiteSession as SDKSession

from turnlog.records import Log
from turnlog.store import Cursor
from turnlog.stores.clock import as_text
from turnlog.stores.sqlite import SQLiteStore

BEGINNING = 1_700_000_000
PREFIXES = {"none": "", "common": "even:", "rare": "rare:", "old": "old:", "absent": "no:"}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench.listing", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    print(f"{'sessions':>10} {'made by':<8} {'order':<7} {'middle':>7}", *map(_cell, PREFIXES))
    for size in options.sizes:
        for maker in ("turnlog", "sdk"):
            with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as folder:
                asyncio.run(_measure(Path(folder) / "file.db", size, maker, options.rounds))


async def _measure(path: Path, size: int, maker: str, rounds: int) -> None:
    if maker == "sdk":
        SDKSession("nobody", path).close()
    async with SQLiteStore(path) as store:
        if maker == "turnlog":
            await store.append(Log("nobody"), [b"{}"])
        _fill(path, size)
        await store.append(Log("nobody"), [b"{}"])
        middle = Cursor(BEGINNING + size / 2, "")
        for oldest in (False, True):
            times = [
                await _page(store, rounds, oldest=oldest, after=middle),
                *[
                    await _page(store, rounds, oldest=oldest, prefix=prefix)
                    for prefix in PREFIXES.values()
                ],
            ]
            order = "oldest" if oldest else "newest"
            print(f"{size:>10,} {maker:<8} {order:<7}", *(f"{each:>7.2f}" for each in times))


async def _page(
    store: SQLiteStore,
    rounds: int,
    *,
    oldest: bool,
    prefix: str = "",
    after: Cursor | None = None,
) -> float:
    times = []
    for _ in range(rounds):
        start = perf_counter()
        await store.sessions(prefix=prefix, after=after, oldest=oldest)
        times.append(perf_counter() - start)
    return median(times) * 1000


def _fill(path: Path, size: int) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO agent_sessions (session_id, created_at, updated_at) VALUES (?, ?, ?)",
            _sessions(size),
        )
        db.execute(
            "INSERT INTO agent_messages (session_id, message_data) "
            "SELECT session_id, '{}' FROM agent_sessions"
        )


def _sessions(size: int) -> Iterator[tuple[str, str, str]]:
    """Sessions in the order of their changes, which is not that of their ids."""
    numbers = random.Random(1).sample(range(size), size)  # noqa: S311 - the same at each run
    for place, number in enumerate(numbers):
        kind = "even" if number % 2 == 0 else "odd"
        kind = "rare" if number < 20 else "old" if place < size // 50 else kind
        at = as_text((BEGINNING + place) * 1_000_000)
        yield f"{kind}:{number:08}", at, at


def _cell(text: str) -> str:
    return f"{text:>7}"


if __name__ == "__main__":
    main()
