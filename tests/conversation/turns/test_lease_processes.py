"""Leases between processes: one run at a time on a session, on every kind of store."""

import asyncio
import os
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import pytest
from dapr.conf import settings

from tests import ROOT
from tests.programs import command
from tests.sizes import DUELS
from turnlog import Store, StoredSession, open_store
from turnlog.items.json import Item

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

everywhere = pytest.mark.stores("sqlite", "postgres", "mariadb", "redis", "dapr")


#: Seconds. Nobody takes the lease of a process that stands still for less than the first one.
LONG, SHORT = 600.0, 1.0


@contextmanager
def talking(
    url: str, name: str, policy: str, turns: int, lease: float, how: str = ""
) -> Iterator[Any]:
    program = command("run_turns", url, name, policy, turns, lease, how)
    pipe = subprocess.PIPE
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, cwd=ROOT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def stored(url: str) -> list[Item]:
    async with open_store(url) as store:
        return list(await StoredSession("shared", store).get_items())


def whole_turns(items: list[Item]) -> list[str]:
    """The names of the turns; fails if two of them interleave."""
    names = []
    for start in range(0, len(items), 4):
        question, call, output, answer = items[start : start + 4]
        name = question["content"]
        assert (call["call_id"], output["call_id"], answer["content"]) == (name,) * 3
        names.append(name)
    return names


async def test_queued_turns_never_interleave(any_url: str) -> None:
    turns = 50
    with (
        talking(any_url, "a", "queue", turns, LONG) as first,
        talking(any_url, "b", "queue", turns, LONG) as second,
    ):
        said = Counter(first.communicate(timeout=120)[0].split())
        said += Counter(second.communicate(timeout=120)[0].split())
    assert said["done"] == 2 * turns
    names = whole_turns(await stored(any_url))
    for name in ("a", "b"):
        expected = [f"{name}-{number}" for number in range(turns)]
        assert [each for each in names if each.startswith(name)] == expected


async def test_a_rejected_run_leaves_nothing(any_url: str) -> None:
    with (
        talking(any_url, "a", "reject", 30, LONG) as first,
        talking(any_url, "b", "reject", 30, LONG) as second,
    ):
        said = Counter(first.communicate(timeout=120)[0].split())
        said += Counter(second.communicate(timeout=120)[0].split())
    assert said["done"] + said["busy"] == 60
    assert said["done"] > 0
    assert len(whole_turns(await stored(any_url))) == said["done"]


async def test_a_holder_that_is_killed_frees_the_session(any_url: str) -> None:
    """At the end of its lease at the latest."""
    with talking(any_url, "a", "queue", 1, SHORT, "told") as doomed:
        assert doomed.stdout.readline() == "thinking\n"
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
        with talking(any_url, "b", "queue", 1, LONG) as other:
            assert other.communicate(timeout=120)[0].split()[-1] == "done"
    items = await stored(any_url)
    assert [item["content"] for item in items if item.get("role") == "user"] == ["a-0", "b-0"]
    assert whole_turns(items[1:]) == ["b-0"]


async def test_a_holder_that_was_paused_writes_no_more(any_url: str) -> None:
    with talking(any_url, "a", "queue", 1, SHORT, "told") as paused:
        assert paused.stdout.readline() == "thinking\n"
        paused.send_signal(signal.SIGSTOP)
        with talking(any_url, "b", "queue", 1, LONG) as other:
            assert other.communicate(timeout=120)[0].split()[-1] == "done"
        paused.send_signal(signal.SIGCONT)
        assert paused.communicate("go on\n", timeout=120)[0].split()[-1] == "lost"
    items = await stored(any_url)
    assert items[0]["content"] == "a-0"
    assert whole_turns(items[1:]) == ["b-0"]


# Two that start at once


class Duelist:
    """A process that starts a run whenever it is told to."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process

    @classmethod
    @asynccontextmanager
    async def ready(cls, url: str, name: str, policy: str) -> AsyncIterator[Self]:
        pipe = asyncio.subprocess.PIPE
        program = command("run_on_command", url, name, policy)
        # Where a sidecar of Dapr says that it is well; only its clients look there.
        env = {**os.environ, "DAPR_HTTP_PORT": str(settings.DAPR_HTTP_PORT)}
        process = await asyncio.create_subprocess_exec(
            *program, stdin=pipe, stdout=pipe, cwd=ROOT, env=env
        )
        try:
            yield cls(name, process)
        finally:
            process.kill()
            await process.wait()

    def tell(self, words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{words}\n".encode())

    async def says(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            return (await self._process.stdout.readline()).decode().strip()


@asynccontextmanager
async def duel(url: str, policy: str) -> AsyncIterator[tuple[Duelist, Duelist]]:
    async with Duelist.ready(url, "a", policy) as a, Duelist.ready(url, "b", policy) as b:
        yield a, b


async def started(pair: tuple[Duelist, Duelist], session: str) -> dict[Duelist, asyncio.Task[str]]:
    """Both start a run on one session; what each of them says first."""
    for one in pair:
        one.tell(session)
    return {one: asyncio.create_task(one.says()) for one in pair}


async def items_of(store: Store, number: int, branch: str = "main") -> list[Item]:
    return list(await StoredSession(f"s{number}", store, branch=branch).get_items())


@pytest.mark.proof
@everywhere
async def test_of_two_that_start_at_once_the_second_sees_the_whole_turn_of_the_first(
    any_url: str,
) -> None:
    async with open_store(any_url) as store, duel(any_url, "queue") as pair:
        for number in range(DUELS):
            says = await started(pair, f"s{number}")
            await asyncio.wait(says.values(), return_when=asyncio.FIRST_COMPLETED)
            first, second = sorted(pair, key=lambda one: not says[one].done())
            assert says[first].result() == "thinking 1"
            assert not says[second].done()
            first.tell("go on")
            assert await first.says() == "done main"
            assert await says[second] == "thinking 5"
            second.tell("go on")
            assert await second.says() == "done main"
            assert whole_turns(await items_of(store, number)) == [first.name, second.name]


@pytest.mark.proof
@everywhere
async def test_of_two_that_start_at_once_exactly_one_is_let_in(any_url: str) -> None:
    async with open_store(any_url) as store, duel(any_url, "reject") as pair:
        for number in range(DUELS):
            says = await started(pair, f"s{number}")
            said = {await words: one for one, words in says.items()}
            assert set(said) == {"thinking 1", "busy"}
            said["thinking 1"].tell("go on")
            assert await said["thinking 1"].says() == "done main"
            assert whole_turns(await items_of(store, number)) == [said["thinking 1"].name]


@pytest.mark.proof
@everywhere
async def test_of_two_that_start_at_once_one_goes_on_with_a_copy(any_url: str) -> None:
    async with open_store(any_url) as store, duel(any_url, "branch") as pair:
        for number in range(DUELS):
            says = await started(pair, f"s{number}")
            assert [await each for each in says.values()] == ["thinking 1"] * 2
            for one in pair:
                one.tell("go on")
            branches = {(await one.says()).removeprefix("done "): one.name for one in pair}
            assert len(branches) == 2
            assert "main" in branches
            for branch, name in branches.items():
                assert whole_turns(await items_of(store, number, branch)) == [name]


@pytest.mark.proof
@everywhere
async def test_of_two_that_start_at_once_none_takes_notice(any_url: str) -> None:
    async with open_store(any_url) as store, duel(any_url, "off") as pair:
        for number in range(DUELS):
            says = await started(pair, f"s{number}")
            assert {(await each).split()[0] for each in says.values()} == {"thinking"}
            for one in pair:
                one.tell("go on")
            assert [await one.says() for one in pair] == ["done main"] * 2
            items = await items_of(store, number)
            for name in ("a", "b"):
                own = [item for item in items if name in (item.get("call_id"), item.get("content"))]
                assert whole_turns(own) == [name]
            assert len(items) == 8
