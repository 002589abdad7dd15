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
SECONDS = 6.0
THINKING = 0.02  # seconds


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


async def waits_of_each(url: str) -> list[list[float]]:
    async with asyncio.timeout(120), AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(asking(url, name)) for name in "abcd"]
        for process in crowd:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        for process in crowd:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        await asyncio.sleep(SECONDS)
        for process in crowd:
            assert process.stdin is not None
            process.stdin.close()
        said = await asyncio.gather(*(process.communicate() for process in crowd))
    return [json.loads(out) for out, _ in said]


async def turns_in_order(url: str) -> list[str]:
    """Who asked, turn by turn."""
    async with open_store(url) as store:
        items = await StoredSession("shared", store).get_items()
    return [item["content"][0] for item in items if item["role"] == "user"]


async def test_of_four_processes_each_gets_its_turn(any_url: str) -> None:
    waits = await waits_of_each(any_url)
    turns = await turns_in_order(any_url)
    each = {name: turns.count(name) for name in "abcd"}
    fair = SECONDS / len(turns)
    figures = f"turns {each}, longest wait {max(map(max, waits)) / fair:.1f} turns"
    assert len(turns) > 40, figures
    assert min(each.values()) * 3 >= max(each.values()), figures
    # In turns and not in seconds: a busy machine makes some turns long.
    for name in "abcd":
        own = [place for place, asker in enumerate(turns) if asker == name]
        assert max(later - place for place, later in pairwise(own)) <= 3 * PROCESSES, figures
