"""One file used by us and by the OpenAI Agents SDK at the same time."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.files import ours, theirs

pytestmark = pytest.mark.anyio


async def test_turn_by_turn_in_one_process(path: Path) -> None:
    async with ours(path) as mine, theirs(path) as other, theirs(path, "SQLAlchemySession") as sa:
        for n in range(10):
            await mine.add_items([{"n": 3 * n}])
            await other.add_items([{"n": 3 * n + 1}])
            await sa.add_items([{"n": 3 * n + 2}])
        counted = [{"n": n} for n in range(30)]
        assert [await s.get_items() for s in (mine, other, sa)] == [counted] * 3
        assert [(await s.pop_item())["n"] for s in (other, mine, sa, mine)] == [29, 28, 27, 26]
        assert [await s.get_items() for s in (mine, other, sa)] == [counted[:26]] * 3


async def test_all_together_in_one_process(path: Path) -> None:
    async def count(session: Any, name: str) -> None:
        for n in range(25):
            await session.add_items([{"by": name, "n": n}])

    async with ours(path) as mine, theirs(path) as other, ours(path) as mine_too:
        await asyncio.gather(count(mine, "mine"), count(other, "other"), count(mine_too, "too"))
        items = await mine.get_items()
        assert await other.get_items() == items
    for name in ("mine", "other", "too"):
        assert [item["n"] for item in items if item["by"] == name] == list(range(25))


THEIR_WRITER = """
import asyncio, functools, sqlite3, sys
sqlite3.connect = functools.partial(sqlite3.connect, timeout=200)  # theirs is five seconds
from agents import SQLiteSession

async def main():
    session = SQLiteSession("a", sys.argv[1])
    print("ready", flush=True)
    for n in range(60):
        await session.add_items([{"by": "them", "n": n}, {"by": "them", "n": n + 0.5}])
        assert len(await session.get_items()) >= 2 * n + 2
    session.close()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_two_processes_on_one_file(path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", THEIR_WRITER, path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    async with ours(path) as session:
        seen: list[Any] = []
        for n in range(60):
            await session.add_items([{"by": "us", "n": n}, {"by": "us", "n": n + 0.5}])
            items = await session.get_items()
            assert items[: len(seen)] == seen
            seen = items
        _, complaints = await asyncio.wait_for(process.communicate(), timeout=250)
        assert (process.returncode, complaints) == (0, b"")
        items = await session.get_items()
    async with theirs(path) as session:
        assert await session.get_items() == items
    for name in ("us", "them"):
        counted = [item["n"] for item in items if item["by"] == name]
        assert counted == [n / 2 for n in range(120)]
