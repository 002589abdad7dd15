"""SIGTERM: runs end as with Ctrl-C, and whoever handles the signal is left alone."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.programs.holders import holding, said
from turnlog import Log, StoredSession, open_store

pytestmark = pytest.mark.anyio

ENDED = -signal.SIGTERM


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/conversations.db"


async def logs(url: str, session: str = "shared") -> dict[str, int]:
    """How many records each log of a conversation has, empty ones left out."""
    async with open_store(url) as store:
        return {head.log.name: head.length for head in await store.logs(session) if head.length}


@pytest.mark.parametrize(
    "way", ["run", "streamed", "turn", "held", "run_sync", "turn_sync", "many"]
)
async def test_it_ends_runs_and_then_the_process(url: str, way: str) -> None:
    with holding(url, "question", way) as process:
        assert said(process) == "thinking"
        assert (await logs(url))[":lease"] == 1
        process.terminate()
        assert process.wait(60) == ENDED
        assert process.stdout.read() == ""
    left = await logs(url)
    assert left["main"] == 1
    assert ":lease" not in left
    assert ":queue" not in left
    for number in range(9 if way == "many" else 0):
        assert ":lease" not in await logs(url, f"s{number}")


async def test_a_run_that_waits_takes_its_ticket_along(url: str) -> None:
    with holding(url, "question", "run") as first:
        assert said(first) == "thinking"
        with holding(url, "question", "run") as second:
            async with asyncio.timeout(60), open_store(url) as store:
                while not await store.read(Log("shared", ":queue")):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)
            second.terminate()
            assert second.wait(60) == ENDED
        assert ":queue" not in await logs(url)
        assert (await logs(url))[":lease"] == 1


@pytest.mark.parametrize("way", ["run", "streamed", "turn", "held", "run_sync", "turn_sync"])
async def test_without_it_all_is_as_it_was(url: str, way: str) -> None:
    with holding(url, "question", way) as process:
        assert said(process) == "thinking"
        assert process.communicate("go\n", timeout=60)[0].split() == ["done", "default"]
        assert process.returncode == 0


@pytest.mark.parametrize(
    "way",
    [
        *("handled", "handled_later", "handled_by_loop", "handled_by_loop_later"),
        "handler_restored",
    ],
)
async def test_who_handles_it_is_left_alone(url: str, way: str) -> None:
    with holding(url, "question", way) as process:
        assert said(process) == "thinking"
        for _ in range(2):  # after the first one it is still theirs
            process.terminate()
            assert said(process) == "handled"
        assert (await logs(url))[":lease"] == 1
        out = process.communicate("go\n", timeout=60)[0].split()
        assert process.returncode == 0
        assert out[0] == "done"
    assert (await logs(url))["main"] == 2


async def test_a_handler_in_c_is_left_alone(url: str) -> None:
    with holding(url, "question", "handled_in_c") as process:
        assert said(process) == "thinking"
        process.terminate()
        process.communicate("go\n", timeout=60)
        assert process.returncode == 0
    assert (await logs(url))["main"] == 2


async def test_a_second_one_does_not_wait(url: str) -> None:
    with holding(url, "question", "stubborn") as process:
        assert said(process) == "thinking"
        process.terminate()
        while _is_caught(process.pid):  # until the first one was heard
            pass
        process.terminate()
        assert process.wait(60) == ENDED


@pytest.mark.slow
async def test_it_does_not_wait_for_ever(url: str) -> None:
    with holding(url, "question", "stubborn") as process:
        assert said(process) == "thinking"
        process.terminate()
        assert process.wait(60) == ENDED


async def test_on_another_thread_nothing_changes(url: str) -> None:
    with holding(url, "question", "in_thread") as process:
        assert said(process) == "thinking"
        assert not _is_caught(process.pid)
        process.terminate()
        assert process.wait(60) == ENDED
    assert (await logs(url))[":lease"] == 1


async def test_a_child_that_was_forked_within_a_run_dies_at_once(url: str) -> None:
    with holding(url, "question", "forking") as process:
        assert said(process) == f"child {ENDED}"
        assert said(process) == "thinking"
        assert process.communicate("go\n", timeout=60)[0].split() == ["done", "default"]


async def test_the_handler_of_others_is_put_back_in_this_process(url: str) -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with open_store(url) as store:
        async with StoredSession("s", store).turn("hello"):
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
            async with StoredSession("other", store).turn("hello"):
                pass
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is before


def _is_caught(pid: int) -> bool:
    """Whether a process has a handler of SIGTERM."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt:")).split()[1]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)
