"""The guide to Celery: its task, in a real worker, is done once whatever happens to the worker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import Celery

from tests.docs.guides.programs import SLOW, Site, printed, program
from tests.servers.process import Server
from tests.servers.redis import RedisServer
from turnlog.sync import SQLiteSession

pytestmark = pytest.mark.slow

QUESTION = "My name is Alice and I love Python"
ANSWER = "I'll remember: your name is Alice and you love Python."


def slowly(files: dict[str, str]) -> None:
    files["slow.py"] = SLOW.format(module="tasks")


def celery(port: int) -> list[str]:
    return printed("celery", "celery", "slow", "--concurrency", "2")


def is_ready(server: Server) -> bool:
    return "ready." in server.log.read_text()


@contextmanager
def working(redis: RedisServer) -> Iterator[Site]:
    """A worker, with a queue of its own."""
    database = f"{redis.url.removesuffix('/0')}/{next(DATABASES)}"
    with program(
        "celery", celery, change=slowly, is_up=is_ready, BROKER=database, PAUSE="0.7"
    ) as site:
        yield site


DATABASES = iter(range(1, 16))


@pytest.fixture(scope="module")
def site(redis: RedisServer) -> Iterator[Site]:
    with working(redis) as running:
        yield running


def ask_as_printed(site: Site, chat: str, text: str, key: str) -> str:
    """What `ask.py` prints."""
    done = subprocess.run(
        [sys.executable, "ask.py", "alice", chat, text, key],
        cwd=site.server.folder,
        env={**os.environ, "BROKER": broker_of(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def ask(site: Site, chat: str, text: str, key: str) -> object:
    """The same, without a process of its own."""
    broker = broker_of(site)
    with Celery("asking", broker=broker, backend=broker) as app:
        name, given = "tasks.answer", ("alice", chat, text)
        task = app.send_task(name, given, task_id=f"alice/{chat}/{key}")
        return task.get(timeout=120)


def broker_of(site: Site) -> str:
    environment = Path(f"/proc/{site.server.process.pid}/environ").read_bytes().split(b"\0")
    [broker] = [each for each in environment if each.startswith(b"BROKER=")]
    return broker.decode().removeprefix("BROKER=")


def stored(site: Site, chat: str) -> list[object]:
    session = SQLiteSession(site.server.folder / "conversations.db", session_id=f"alice/{chat}")
    return [item["role"] for item in session.get_items()]


def until_asked(site: Site, times: int) -> None:
    while len(site.asked) < times:
        time.sleep(0.02)


def test_the_task_answers_and_remembers(site: Site) -> None:
    assert ask_as_printed(site, "memory", QUESTION, "a") == ANSWER
    assert ask(site, "memory", "What's my name?", "b") == "Your name is Alice."
    assert stored(site, "memory") == ["user", "assistant"] * 2


def test_a_message_that_is_sent_twice_at_once_is_answered_once(site: Site) -> None:
    before = len(site.asked)
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask, site, "double", QUESTION, "k") for _ in range(2)]
        assert [each.result() for each in asked] == [ANSWER] * 2
    assert len(site.asked) == before + 1
    assert stored(site, "double") == ["user", "assistant"]


def test_a_process_is_killed_and_another_one_ends_the_task(site: Site) -> None:
    before = len(site.asked)
    with ThreadPoolExecutor() as pool:
        with site.held():
            asked = pool.submit(ask, site, "killed", QUESTION, "k")
            until_asked(site, before + 1)
            os.kill(site.asked[-1], signal.SIGKILL)
        assert asked.result() == ANSWER
    assert len(set(site.asked[before:])) == 2
    assert stored(site, "killed") == ["user", "assistant"]


def test_a_warm_shutdown_ends_the_task_first(redis: RedisServer) -> None:
    with working(redis) as site, ThreadPoolExecutor() as pool:
        asked = pool.submit(ask, site, "warm", QUESTION, "k")
        until_asked(site, 1)
        site.server.stop()
        assert asked.result() == ANSWER
        assert stored(site, "warm") == ["user", "assistant"]
