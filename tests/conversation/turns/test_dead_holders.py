"""Holders that died on this machine: those who wait go on at once, on every kind of store.

The leases last for ten minutes, so a run that went on did not wait for the end of one.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.programs.holders import holding, said
from turnlog import Log, SessionBusy, Store, StoredSession, open_store

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.stores("sqlite", "postgres", "redis"),
    pytest.mark.skipif(sys.platform != "linux", reason="they are known on Linux only"),
]


async def waiting(store: Store, count: int) -> None:
    """Wait until so many runs wait for the session."""
    async with asyncio.timeout(60):
        while len(await store.read(Log("shared", ":queue"))) != count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def questions(store: Store) -> list[str]:
    items = await StoredSession("shared", store).get_items()
    return [item["content"] for item in items if item["role"] == "user"]


async def test_those_who_wait_go_on_at_once(any_url: str) -> None:
    async with open_store(any_url) as store:
        with holding(any_url, "a") as dead, holding_after(dead, any_url, "b") as first:
            await waiting(store, 1)
            with holding(any_url, "c") as second:
                await waiting(store, 2)
                dead.kill()  # and nobody asks for its end: it is a zombie
                assert said(first) == "thinking"
                assert await questions(store) == ["a", "b"]
                first.communicate("go\n", timeout=60)
                assert said(second) == "thinking"
                second.communicate("go\n", timeout=60)
        assert await questions(store) == ["a", "b", "c"]


@contextmanager
def holding_after(first: Any, url: str, name: str) -> Iterator[Any]:
    """Starts when the first one holds the session."""
    assert said(first) == "thinking"
    with holding(url, name) as process:
        yield process


async def test_who_looks_once_finds_it_free(any_url: str) -> None:
    async with open_store(any_url) as store:
        session = StoredSession("shared", store)
        with holding(any_url, "a") as dead:
            assert said(dead) == "thinking"
            with pytest.raises(SessionBusy):
                async with session.turn("b", policy="reject"):
                    pass
            dead.kill()
            dead.wait()
            async with session.turn("b", policy="reject"):
                pass
        assert await questions(store) == ["a", "b"]


async def test_a_holder_that_is_stopped_keeps_it(any_url: str) -> None:
    async with open_store(any_url) as store:
        with holding(any_url, "a") as stopped:
            assert said(stopped) == "thinking"
            stopped.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, stopped.pid, os.WSTOPPED)  # noqa: ASYNC222 - nothing else is to run
            for _ in range(20):
                with pytest.raises(SessionBusy):
                    async with StoredSession("shared", store).turn("b", policy="reject"):
                        pass
            stopped.send_signal(signal.SIGCONT)
            assert stopped.communicate("go\n", timeout=60)[0].split()[0] == "done"


async def test_a_waiter_that_died_keeps_nobody_waiting(any_url: str) -> None:
    async with open_store(any_url) as store:
        with holding(any_url, "a") as holder, holding_after(holder, any_url, "b") as dead:
            await waiting(store, 1)
            with holding(any_url, "c") as second:
                await waiting(store, 2)
                dead.kill()
                await waiting(store, 1)  # while the lease is held
                assert await questions(store) == ["a"]
                holder.communicate("go\n", timeout=60)
                assert said(second) == "thinking"
                second.communicate("go\n", timeout=60)
        assert await questions(store) == ["a", "c"]


async def test_a_new_run_finds_a_ticket_of_a_dead_one(any_url: str) -> None:
    async with open_store(any_url) as store:
        with holding(any_url, "a") as holder, holding_after(holder, any_url, "b") as dead:
            await waiting(store, 1)
            dead.kill()
            dead.wait()
            holder.kill()
            holder.wait()
        async with StoredSession("shared", store).turn("c"):
            assert await store.read(Log("shared", ":queue")) == []
        assert await questions(store) == ["a", "c"]


async def test_a_forked_child_that_died_frees_the_session(any_url: str) -> None:
    """Its parent lives, has taken leases itself, and leaves the child a zombie."""
    async with open_store(any_url) as store:
        with holding(any_url, "a", "forked") as parent:
            child = int(said(parent).removeprefix("child "))
            assert said(parent) == "thinking"
            with holding(any_url, "b") as second:
                await waiting(store, 1)
                os.kill(child, signal.SIGKILL)
                assert said(second) == "thinking"
                assert parent.poll() is None
                second.communicate("go\n", timeout=60)
        assert await questions(store) == ["a", "b"]
