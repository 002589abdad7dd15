"""Lists of turns on SQLite: the newest 20 turns of short and of long conversations.

The SDK has lists of turns on its advanced SQLite class only; it reads all of them each time.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from agents.extensions.memory import AdvancedSQLiteSession

from bench.harness import Workload
from turnlog import SQLiteSession

__all__ = ["workloads"]

LISTS = 50


def workloads() -> Iterator[Workload]:
    """The newest 20 turns of 1,000 and of 100,000 items."""
    for items in (1_000, 100_000):
        name = f"newest 20 turns of {items:,} items"
        yield Workload(name, partial(_turnlog, items), partial(_sdk, items), None, "")


def _turns(items: int) -> list[Any]:
    question = {"role": "user", "content": "what was said in this turn, " * 4}
    return [question, {"role": "assistant", "content": "yes"}] * (items // 2)


async def _turnlog(items: int, folder: Path) -> float:
    session = SQLiteSession("s", folder / "file.db")
    await session.add_items(_turns(items))
    start = perf_counter()
    for _ in range(LISTS):
        assert len(await session.turns(20)) == 20
    seconds = (perf_counter() - start) / LISTS
    session.close()
    return seconds


async def _sdk(items: int, folder: Path) -> float:
    session = AdvancedSQLiteSession(session_id="s", db_path=folder / "file.db", create_tables=True)
    await session.add_items(_turns(items))
    start = perf_counter()
    assert len((await session.get_conversation_turns())[-20:]) == 20
    seconds = perf_counter() - start
    session.close()
    return seconds
