"""The SDK's AdvancedSQLiteSession and ours on one file, turn by turn and at the same time."""

import asyncio
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import agents
import pytest

from tests import ROOT
from tests.programs import command
from tests.sdk.advanced import contents, items_of, result, store_of, talk, theirs, usage_of
from tests.sizes import KILLED_WRITERS
from turnlog import SQLiteSession
from turnlog.changes import Append
from turnlog.items.json import Item, encode
from turnlog.records import Log
from turnlog.store import Store

pytestmark = pytest.mark.anyio

OPERATIONS = 500


class Taking:
    """Both classes on "main" of one session, and a list of what has to be there.

    session, plain: of the SDK's advanced and plain class.
    """

    def __init__(self, session: Any, plain: Any, store: Store, seed: int) -> None:
        self.session, self.plain, self.store = session, plain, store
        self.dice = random.Random(seed)
        self.items: list[Item] = []
        self.ours: dict[str, int] = {}
        self.count = 0

    def made(self) -> list[Item]:
        """One to four new items."""
        return [self._item() for _ in range(self.dice.randint(1, 4))]

    def _item(self) -> Item:
        self.count += 1
        kinds: list[Item] = [
            {"role": "user", "content": f"question {self.count}"},
            {"role": "assistant", "content": f"answer {self.count}"},
            {"type": "function_call", "name": "add", "call_id": f"c{self.count}"},
        ]
        return self.dice.choice(kinds)

    async def they_add(self) -> None:
        items = self.made()
        await self.session.add_items(items)
        self.items += items

    async def we_add(self) -> None:
        items = self.made()
        await self.store.append(Log("a"), [encode(item) for item in items])
        self.items += items

    async def they_pop(self) -> None:
        assert await self.session.pop_item() == (self.items.pop() if self.items else None)

    async def plain_adds(self) -> None:
        items = self.made()
        await self.plain.add_items(items)
        # Until we write, its advanced class would delete them.
        await self.store.append(Log("a", ":lease"), [b"{}"])
        self.items += items

    async def plain_pops(self) -> None:
        if self.items:  # else it takes an item of another branch
            assert await self.plain.pop_item() == self.items.pop()

    async def we_cut(self) -> None:
        positions = (await self.store.read(Log("a"))).positions
        keep = max(len(positions) - self.dice.randint(1, 3), 0)
        await self.store.remove(Log("a"), after=positions[keep - 1] if keep else 0)
        del self.items[keep:]

    async def we_replace(self) -> None:
        positions, items = (await self.store.read(Log("a"))).positions, self.made()
        keep = max(len(positions) - 2, 0)
        change = Append("main", [encode(i) for i in items], cut=positions[keep - 1] if keep else 0)
        await self.store.commit("a", [change])
        self.items[keep:] = items

    async def they_spend(self) -> None:
        await self.session.store_run_usage(result(1000 + self.count))

    async def we_spend(self) -> None:
        turn = self._newest_turn()
        if turn is None:
            return
        position = (await self.store.read(Log("a"))).positions[turn]
        run = f"run {self.dice.randint(0, self.count)}"
        if run in self.ours:
            return
        self.ours[run] = self.dice.randint(1, 100)
        record = {"run": run, "position": position, "requests": 1, "input_tokens": self.ours[run]}
        await self.store.append(Log("a", ":usage"), [encode(record)])

    def _newest_turn(self) -> int | None:
        questions = [n for n, item in enumerate(self.items) if item.get("role") == "user"]
        return questions[-1] if questions else None

    async def check(self) -> None:
        """Both sides show the same items, turns and usage."""
        assert await items_of(self.store) == await self.session.get_items() == self.items
        turns = await self.session.get_conversation_turns()
        asked = [item["content"] for item in self.items if item.get("role") == "user"]
        assert [turn["content"] for turn in turns] == asked
        assert [turn["turn"] for turn in turns] == list(range(1, len(asked) + 1))
        await contents(self.store)

    async def check_usage(self) -> None:
        """No run of ours is lost, and of each of its rows we have what it shows."""
        records = await items_of(self.store, ":usage")
        assert {r["run"]: r["input_tokens"] for r in records if r["run"] in self.ours} == self.ours
        positions = (await self.store.read(Log("a"))).positions
        starts = [p for p, i in zip(positions, self.items, strict=True) if i.get("role") == "user"]
        shown = {
            t["user_turn_number"]: t["input_tokens"] for t in await self.session.get_turn_usage()
        }
        spent = await usage_of(self.store)
        assert set(shown) - {0} <= set(range(1, len(starts) + 1))
        for number, start in enumerate(starts, 1):
            # Its class replaces what others have noted for a turn; ours adds up.
            assert shown.get(number, 0) <= spent.get(start, 0)
            assert (number in shown) == (start in spent)


@pytest.mark.parametrize("seed", range(2))
async def test_five_hundred_operations_by_turns(path: Path, seed: int) -> None:
    with theirs(path) as session, closing(agents.SQLiteSession("a", path)) as plain:
        await talk(session, "first")
        await session.create_branch_from_turn(1, "alt")
        await talk(session, "aside")
        await session.switch_to_branch("main")
        async with store_of(path) as store:
            taking = Taking(session, plain, store, seed)
            taking.items = await session.get_items()
            acts: list[Callable[[], Awaitable[None]]] = [
                taking.they_add, taking.we_add, taking.they_pop, taking.we_cut,
                taking.plain_adds, taking.plain_pops,
                taking.we_replace, taking.they_spend, taking.we_spend,
            ]  # fmt: skip
            for step in range(2 * OPERATIONS):
                await taking.dice.choice(acts)()
                if step % 10 == 0:
                    await taking.check()
                    await taking.check_usage()
            assert len(await session.get_items(branch_id="alt")) == 2
            assert len(await items_of(store, "alt")) == 2


WRITER = """
import asyncio, functools, sqlite3, sys
sqlite3.connect = functools.partial(sqlite3.connect, timeout=200)  # theirs is five seconds
from agents import SQLiteSession
from agents.extensions.memory import AdvancedSQLiteSession

async def main():
    make = {
        "plain": lambda: SQLiteSession("a", sys.argv[2]),
        "advanced": lambda: AdvancedSQLiteSession(
            session_id="a", db_path=sys.argv[2], create_tables=True),
    }[sys.argv[1]]
    session = make()
    for n in range(40):
        await session.add_items([{"role": "user", "content": f"{sys.argv[1]} {n}"}])
    session.close()

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("made_by", ["ours", "theirs"])
async def test_three_classes_in_three_processes(path: Path, made_by: str) -> None:
    if made_by == "theirs":
        with theirs(path):
            pass
    ours = SQLiteSession("a", path, patience=200)
    await ours.add_items([{"role": "user", "content": "start"}])
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, kind, path, stderr=subprocess.PIPE
        )
        for kind in ("plain", "advanced")
    ]
    for n in range(40):
        await ours.add_items([{"role": "user", "content": f"ours {n}"}])
    for process in processes:
        _, complaints = await asyncio.wait_for(process.communicate(), timeout=250)
        assert (process.returncode, complaints) == (0, b"")
    await ours.add_items([{"role": "user", "content": "end"}])
    items: list[Item] = await ours.get_items()
    assert len(items) == 122
    for kind in ("plain", "advanced", "ours"):
        said = [i["content"] for i in items if i["content"].startswith(kind)]
        assert said == [f"{kind} {n}" for n in range(40)]
    with theirs(path) as session, closing(agents.SQLiteSession("a", path)) as plain:
        assert await session.get_items() == await plain.get_items() == items
        assert len(await session.get_conversation_turns()) == 122
        assert await session.pop_item() == items[-1]
        assert len(await ours.get_items()) == 121
    ours.close()


@pytest.mark.slow
@pytest.mark.proof
async def test_kill_9_leaves_a_conversation_adopted_or_as_it_was(tmp_path: Path) -> None:
    dice = random.Random(20261129)
    made = tmp_path / "made.db"
    with theirs(made) as session:
        await session.add_items([{"role": "user", "content": str(n)} for n in range(3000)])
        await session.create_branch_from_turn(2500, "alt")
        await session.add_items([{"role": "user", "content": "aside"}])
    async with store_of(made) as store:
        before = await contents(store)
    for round_ in range(max(KILLED_WRITERS, 5)):
        path = tmp_path / f"{round_}.db"
        shutil.copy(made, path)
        acknowledged = _killed_adoption(path, dice.uniform(0.0, 0.08))
        async with store_of(path) as store:
            after = await contents(store)
            is_adopted = len(after["main"]) == len(before["main"]) + 1
            assert is_adopted or not acknowledged
            assert {**after, "main": after["main"][:3000]} == before
            await store.append(Log("a", "alt"), [b"{}"])
        with theirs(path) as session:
            assert len(await session.get_items()) == len(after["main"])
            assert len(await session.get_items(branch_id="alt")) == 2500


def _killed_adoption(path: Path, delay: float) -> bool:
    """Whether the adoption was acknowledged; its process was killed `delay` after its start."""
    with subprocess.Popen(
        command("adopt", path, "a"), stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begins\n"
        time.sleep(delay)
        writer.kill()
        return "done" in writer.stdout.read()
