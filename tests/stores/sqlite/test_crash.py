"""Crashes: what a file holds after its writers were killed, and while many write to it."""

import asyncio
import random
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests import ROOT
from tests.programs import command
from tests.sizes import KILLED_WRITERS
from turnlog import SQLiteSession
from turnlog.changes import Check, Key
from turnlog.errors import Conflict
from turnlog.items.json import Item
from turnlog.records import Log
from turnlog.stores.sqlite import SQLiteStore

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.mark.proof
async def test_kill_9_loses_no_acknowledged_batch(tmp_path: Path) -> None:
    dice = random.Random(20261121)
    for round_ in range(KILLED_WRITERS):
        path = tmp_path / f"{round_}.db"
        acknowledged = _killed_writer("write_until_killed", path, dice.uniform(0.0, 0.12))
        session = SQLiteSession("session", path)
        found = await session.get_items()
        whole = len(found) // 4
        assert found == [{"batch": b, "place": p} for b in range(whole) for p in range(4)]
        # At most one batch was committed whose acknowledgement did not get out.
        assert acknowledged <= whole <= acknowledged + 1
        await session.add_items([{"after": "the crash"}])
        assert (await session.get_items(1)) == [{"after": "the crash"}]
        session.close()


@pytest.mark.proof
async def test_kill_9_leaves_a_commit_in_all_its_logs_or_in_none(tmp_path: Path) -> None:
    dice = random.Random(20261128)
    for round_ in range(KILLED_WRITERS):
        path = tmp_path / f"{round_}.db"
        acknowledged = _killed_writer("commit_to_file", path, dice.uniform(0.0, 0.12))
        async with SQLiteStore(path) as store:
            logs = {
                name: [int(record.payload) for record in await store.read(Log("session", name))]
                for name in ("main", ":usage", "branch", ":lease")
            }
            whole = len(logs["main"])
            assert acknowledged <= whole <= acknowledged + 1
            assert logs.pop(":lease") == [whole - 1]
            assert list(logs.values()) == [list(range(whole))] * 3
            heads = {
                head.log.name: (head.last, head.length) for head in await store.logs("session")
            }
            for name in logs:
                records = await store.read(Log("session", name))
                assert heads[name] == (records[-1].position, len(records))
            last, following = (Key(f"write {number}") for number in (whole - 1, whole))
            asked = await store.commit("session", [Check("main", -1)], key=last)
            assert asked.replayed
            with pytest.raises(Conflict):
                await store.commit("session", [Check("main", -1)], key=following)


def _killed_writer(program: str, path: Path, delay: float) -> int:
    """How many batches a writer said it had written when it was killed after `delay`."""
    writer = subprocess.Popen(
        command(program, path, "session"), stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    with writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]
        time.sleep(delay)
        writer.kill()
        lines += writer.stdout.readlines()
    complete = [line for line in lines if line.endswith("\n")]
    assert complete, "the writer was killed before it wrote anything"
    return len(complete)


async def test_four_processes_and_64_tasks_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "swarm.db"
    watched = asyncio.create_task(_watch(SQLiteSession("shared", path), 4 * 64 * 3 * 3))
    swarm = [
        await asyncio.create_subprocess_exec(
            *command("write_from_many_tasks", path, number, 64, 3),
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        for number in range(4)
    ]
    for process in swarm:
        _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
    shared = await asyncio.wait_for(watched, 250)
    for process_number in range(4):
        for task in range(64):
            writer = f"{process_number}-{task}"
            theirs = [{"writer": writer, "batch": b, "n": n} for b in range(3) for n in range(3)]
            assert await SQLiteSession(f"own-{writer}", path).get_items() == theirs
            assert [item for item in shared if item["writer"] == writer] == theirs
    assert _interleaved(shared) == []


async def _watch(session: SQLiteSession, enough: int) -> list[Item]:
    """Poll until there is enough; each read has to extend the one before."""
    seen: list[Item] = []
    while len(seen) < enough:
        items = await session.get_items()
        assert items[: len(seen)] == seen
        seen = items
        await asyncio.sleep(0.002)
    return seen


def _interleaved(items: list[Item]) -> list[tuple[str, int]]:
    """The batches whose items do not lie side by side."""
    places = defaultdict(list)
    for index, item in enumerate(items):
        places[item["writer"], item["batch"]].append(index)
    return [batch for batch, at in places.items() if at != list(range(at[0], at[0] + 3))]
