"""Branches, turns and usage agree with a simple reference after each of many random acts.

The acts come through two handles, one of them behind a layer, and from another process, which is
replaced from time to time. In memory, and through the stand-in for Dapr's sidecar, new handles take
the place of the process.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests import ROOT
from tests.conversation.model.acts import Act, performed
from tests.conversation.model.walk import Walk
from tests.programs import command
from tests.sizes import WALK
from turnlog import Store, open_store
from turnlog.layers.traced import Traced

pytestmark = [pytest.mark.anyio, pytest.mark.proof]

#: So many acts are performed by one process; then another one takes its place.
ACTS_OF_A_PROCESS = 60


class OtherProcess:
    """Performs acts in a process of its own, which is replaced from time to time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._process: asyncio.subprocess.Process | None = None
        self._performed = 0

    async def perform(self, act: Act) -> Any:
        """The result of `act`."""
        if self._performed % ACTS_OF_A_PROCESS == 0:
            await self.end()
        self._performed += 1
        process = self._process or await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(act).encode() + b"\n")
        return json.loads(await process.stdout.readline())

    async def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            await process.communicate(b"")  # closes its input

    async def _start(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        program = command("perform_acts", self._url)
        self._process = await asyncio.create_subprocess_exec(
            *program, cwd=ROOT, stdin=pipe, stdout=pipe, limit=2**20
        )
        return self._process


async def walked(store: Store, walk: Walk) -> None:
    async with store:
        for number in range(WALK):
            try:
                await walk.step()
            except BaseException as error:
                last = "\n".join(map(str, walk.history[-8:]))
                error.add_note(f"step {number}, after these acts:\n{last}")
                raise


@asynccontextmanager
async def process_on(url: str) -> AsyncIterator[OtherProcess]:
    process = OtherProcess(url)
    try:
        yield process
    finally:
        await process.end()


@pytest.mark.stores("memory", "dapr")
async def test_a_store_of_one_process_agrees_with_the_reference(any_store: Store) -> None:
    stores = [any_store, Traced(any_store)]
    await walked(any_store, Walk(stores, lambda act: performed(any_store, act), seed=1))


@pytest.mark.slow
@pytest.mark.stores("sqlite", "postgres", "mariadb", "redis")
async def test_a_database_agrees_with_the_reference(any_url: str) -> None:
    store = open_store(any_url)
    async with process_on(any_url) as process:
        await walked(store, Walk([store, Traced(store)], process.perform, seed=7))
