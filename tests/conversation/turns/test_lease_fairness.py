"""Fairness: of four processes that ask on one session again and again, each gets its turn."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise

import pytest

from tests import ROOT
from tests.programs import command
from turnlog import StoredSession, open_store

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PROCESSES = 4
TURNS = 120
THINKING = 0.02  # seconds
#: More turns of others than these are never between two turns of one.
BETWEEN = 3 * PROCESSES


@asynccontextmanager
async def asking(url: str, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command("ask_repeatedly", url, name, THINKING), stdin=pipe, stdout=pipe, cwd=ROOT
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def disturbed_turns(url: str) -> dict[str, set[int]]:
    """Let them ask; which turns of each came in a time in which its process stood still."""
    async with asyncio.timeout(280), AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(asking(url, name)) for name in "abcd"]
        for process in crowd:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        for process in crowd:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        while len(await turns_in_order(url)) < TURNS:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)
        for process in crowd:
            assert process.stdin is not None
            process.stdin.close()
        said = await asyncio.gather(*(process.communicate() for process in crowd))
    return {name: set(json.loads(out)) for name, (out, _) in zip("abcd", said, strict=True)}


async def turns_in_order(url: str) -> list[str]:
    """Who asked, turn by turn."""
    async with open_store(url) as store:
        items = await StoredSession("shared", store).get_items()
    return [item["content"][0] for item in items if item["role"] == "user"]


async def test_of_four_processes_each_gets_its_turn(any_url: str) -> None:
    disturbed = await disturbed_turns(any_url)
    turns = (await turns_in_order(any_url))[:TURNS]
    # In turns and not in seconds: a busy machine makes some turns long.
    for name in "abcd":
        places = [place for place, asker in enumerate(turns) if asker == name]
        assert places, f"{name} got no turn"
        gaps = [later - place for place, later in pairwise([*places, len(turns)])]
        long = [number for number, gap in enumerate(gaps, 1) if gap > BETWEEN]
        assert set(long) <= disturbed[name], f"{name}: {gaps}, disturbed: {disturbed[name]}"
