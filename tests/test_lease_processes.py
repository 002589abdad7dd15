"""One run at a time on a session, whichever process it is in, on every kind of store."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from turnlog import StoredSession, open_store
from turnlog.items import Item

pytestmark = pytest.mark.anyio

TALKER = str(Path(__file__).with_name("talker.py"))


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "c.db")
    server = request.getfixturevalue(request.param)
    if request.param == "postgres":
        return str(server.url(server.fresh_database()))
    return f"{server.url}?prefix=lease-{tmp_path.name}"


@contextmanager
def talking(url: str, name: str, policy: str, turns: int, seconds: float) -> Iterator[Any]:
    command = [sys.executable, TALKER, url, name, policy, str(turns), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
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


async def test_queued_turns_never_interleave(url: str) -> None:
    turns = 50
    with (
        talking(url, "a", "queue", turns, 0.0) as first,
        talking(url, "b", "queue", turns, 0.0) as second,
    ):
        said = Counter(first.communicate(timeout=120)[0].split())
        said += Counter(second.communicate(timeout=120)[0].split())
    assert said["done"] == 2 * turns
    names = whole_turns(await stored(url))
    for name in ("a", "b"):
        expected = [f"{name}-{number}" for number in range(turns)]
        assert [each for each in names if each.startswith(name)] == expected


async def test_a_rejected_run_leaves_nothing(url: str) -> None:
    with (
        talking(url, "a", "reject", 30, 0.002) as first,
        talking(url, "b", "reject", 30, 0.002) as second,
    ):
        said = Counter(first.communicate(timeout=120)[0].split())
        said += Counter(second.communicate(timeout=120)[0].split())
    assert said["done"] + said["busy"] == 60
    assert said["done"] > 0
    assert len(whole_turns(await stored(url))) == said["done"]


async def test_a_holder_that_is_killed_frees_the_session(url: str) -> None:
    with talking(url, "a", "queue", 1, 60.0) as doomed:
        assert doomed.stdout.readline() == "thinking\n"
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
        start = time.monotonic()
        with talking(url, "b", "queue", 1, 0.0) as other:
            assert other.communicate(timeout=20)[0].split()[-1] == "done"
        assert time.monotonic() - start < 15  # a lease lasts for one second, a start for some
    items = await stored(url)
    assert [item["content"] for item in items if item.get("role") == "user"] == ["a-0", "b-0"]
    assert whole_turns(items[1:]) == ["b-0"]


async def test_a_holder_that_was_paused_writes_no_more(url: str) -> None:
    with talking(url, "a", "queue", 1, 0.3) as paused:
        assert paused.stdout.readline() == "thinking\n"
        paused.send_signal(signal.SIGSTOP)
        with talking(url, "b", "queue", 1, 0.0) as other:
            assert other.communicate(timeout=20)[0].split()[-1] == "done"
        paused.send_signal(signal.SIGCONT)
        assert paused.communicate(timeout=20)[0].split()[-1] == "lost"
    items = await stored(url)
    assert items[0]["content"] == "a-0"
    assert whole_turns(items[1:]) == ["b-0"]
