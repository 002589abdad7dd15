"""Several processes on one conversation at OpenAI, without a store: adds and pops, with faults."""

import asyncio
import random
import subprocess
from collections import Counter
from typing import Any, Literal

import pytest

from tests import ROOT
from tests.programs import command
from tests.providers.conversations_server import Fault, Server
from tests.sessions.conversations.conversations import Make, numbered, texts

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KINDS: list[int | Literal["cut"]] = [500, 503, 408, 409, "cut"]


async def used(server: Server, conversation: str, adds: int, pops: int) -> list[list[str]]:
    """What each of three processes prints."""

    def run(name: str) -> list[str]:
        program = command("use_conversation", server.url, conversation, name, adds, pops)
        done = subprocess.run(
            program, capture_output=True, cwd=ROOT, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return await asyncio.gather(*(asyncio.to_thread(run, name) for name in "abc"))


def with_faults(server: Server, count: int) -> None:
    """Every fifth write fails, before or after it was carried out."""
    drawn = random.Random(15)
    numbers = [n for n in range(1, count) if drawn.random() < 0.2]
    server.faults = {n: Fault(drawn.choice(KINDS), drawn.random() < 0.5) for n in numbers}


def of(name: str, found: list[str]) -> list[int]:
    return [int(text.split("-")[1]) for text in found if text.startswith(f"{name}-")]


async def test_adds_of_several_processes_under_faults(make: Make, server: Server) -> None:
    session = make()
    await session.add_items(numbered(1))
    with_faults(server, 1000)
    outs = await used(server, session.session_id, 8, 0)
    found = texts(server.only.items)
    for name, out in zip("abc", outs, strict=True):
        assert of(name, found) == list(range(int(out[-1].split()[1])))


async def test_adds_and_pops_of_several_processes(make: Make, server: Server) -> None:
    session = make()
    await session.add_items(numbered(1))
    outs = await used(server, session.session_id, 8, 25)
    left = texts(server.only.items)
    popped = [line for out in outs for line in out[:-1] if line != "nothing"]
    assert max(Counter(popped).values()) == 1
    for name, out in zip("abc", outs, strict=True):
        kept = of(name, left)
        assert kept == sorted(kept)
        assert sorted(kept + of(name, popped)) == list(range(int(out[-1].split()[1])))


async def test_pops_of_several_processes_under_faults(make: Make, server: Server) -> None:
    """An item is given out once at most. If an answer was lost, it is said to be uncertain."""
    session = make()
    await session.add_items(numbered(100))
    with_faults(server, 1000)
    outs: Any = await used(server, session.session_id, 0, 15)
    lines = [line.split() for out in outs for line in out[:-1]]
    sure = [line[0] for line in lines if len(line) == 1]
    unsure = {line[1] for line in lines if len(line) == 2}
    assert max(Counter(sure).values()) == 1
    gone = {str(n) for n in range(100)} - {*texts(server.only.items)}
    assert {*sure} <= gone == {*sure} | unsure
