"""The end of an engine: its threads close their connections, one after the other."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from turnlog import Log, open_store

pytestmark = pytest.mark.anyio

READING = """
import asyncio, sys
from pathlib import Path
from turnlog import SQLiteSession
from turnlog.stores.sqlite import registry

async def main(path):
    held = Path(path).read_bytes()
    for _ in range(20):
        session = SQLiteSession("session", path)
        await asyncio.gather(*(session.get_items() for _ in range(8)))
        [engine] = registry._engines.values()
        Path(path).unlink()
        engine.stop()
        engine.join()
        registry._engines.clear()
        Path(path).write_bytes(held)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_an_engine_that_only_reads_ends_though_its_file_is_gone(tmp_path: Path) -> None:
    """The checkpoint uses a reader's connection, which nobody closes meanwhile."""
    path = tmp_path / "c.db"
    async with open_store(f"sqlite:///{path}") as store:
        await store.append(Log("session"), [b'{"n":1}'] * 50)
    command = [sys.executable, "-c", READING, str(path)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
