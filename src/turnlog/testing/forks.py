"""Forked processes: tests of a store that was opened before a fork and is used on both sides.

These tests are a class of their own, because not every store can pass them: not one on a client
or an engine that the caller passed in, and not one in memory, which is two stores after a fork.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from turnlog.changes import Key
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["ForkTests"]

LOG = Log("session")

#: Seconds after which a child that hangs is ended by an alarm.
PATIENCE = 200


def forked(work: Callable[[], Coroutine[Any, Any, object]]) -> int:
    """Run `work` in a forked child; returns its process id. The child's status is 0 on success."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        asyncio.run(work())
        status = 0
    finally:
        os._exit(status)  # never back into the test runner


def ended(child: int) -> int:
    """Wait for a child and return its exit status."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


async def _payloads(store: Store) -> list[bytes]:
    return list((await store.read(LOG)).payloads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
class ForkTests:
    """Inherit this, override the fixture `store`, and run pytest.

    class TestMyStoreAcrossForks(ForkTests):
        @pytest.fixture
        def store(self, tmp_path):  # no coroutine: the tests start event loops themselves
            return MyStore(tmp_path / "logs")

    The promise: nothing that was acknowledged on either side of a fork is lost or done twice.
    """

    @pytest.fixture
    def store(self) -> Store:
        """A new, empty store whose data is outside of this process."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `store`")

    @pytest.fixture
    def used(self, store: Store) -> Store:
        """The same store after its first write."""
        asyncio.run(store.append(LOG, [b"before"]))
        return store

    def test_both_sides_write(self, used: Store) -> None:
        assert ended(forked(lambda: used.append(LOG, [b"child"]))) == 0
        asyncio.run(used.append(LOG, [b"parent"]))
        assert asyncio.run(_payloads(used)) == [b"before", b"child", b"parent"]

    def test_children_write_at_once(self, used: Store) -> None:
        async def write(child: int) -> None:
            for number in range(5):
                await used.append(LOG, [b"%d.%d" % (child, number)])

        children = [forked(lambda n=n: write(n)) for n in range(4)]  # type: ignore[misc]  # a default
        assert [ended(child) for child in children] == [0] * 4
        expected = [b"before", *(b"%d.%d" % (child, n) for child in range(4) for n in range(5))]
        assert sorted(asyncio.run(_payloads(used))) == sorted(expected)

    def test_keys_are_told_apart(self, used: Store) -> None:
        async def write(mine: str) -> None:
            await used.append(LOG, [mine.encode()], key=Key(mine))
            await used.append(LOG, [b"both"], key=Key("both"))

        assert ended(forked(lambda: write("child"))) == 0
        asyncio.run(write("parent"))
        assert asyncio.run(_payloads(used)) == [b"before", b"child", b"both", b"parent"]

    def test_only_one_side_removes_a_record(self, used: Store) -> None:
        last = asyncio.run(used.append(LOG, [b"last"]))

        async def pop() -> None:
            assert await used.remove(LOG, after=last - 1, expect=last) < last

        assert ended(forked(pop)) == 0
        with pytest.raises(Conflict):
            asyncio.run(pop())
        assert asyncio.run(_payloads(used)) == [b"before"]

    def test_only_one_side_takes_what_is_free(self, used: Store) -> None:
        lease = LOG.beside("lease")
        assert ended(forked(lambda: used.append(lease, [b"child"], expect=0))) == 0
        with pytest.raises(Conflict):
            asyncio.run(used.append(lease, [b"parent"], expect=0))

    def test_a_fork_amid_the_calls_of_other_threads(self, used: Store) -> None:
        """A lock that another thread holds during the fork is never released in the child."""
        stopping = threading.Event()
        stored: list[bytes] = []

        async def write(thread: int) -> None:
            while not stopping.is_set():
                payload = b"thread %d.%d" % (thread, len(stored))
                await used.append(LOG, [payload])
                stored.append(payload)

        async def in_child() -> None:
            await used.append(LOG, [b"child"])
            await used.aclose()

        threads = [threading.Thread(target=asyncio.run, args=(write(n),)) for n in range(3)]
        for thread in threads:
            thread.start()
        try:
            assert [ended(forked(in_child)) for _ in range(10)] == [0] * 10
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        expected = [b"before", *[b"child"] * 10, *stored]
        assert sorted(asyncio.run(_payloads(used))) == sorted(expected)

    def test_a_child_that_closes_closes_nothing_of_its_parents(self, used: Store) -> None:
        assert ended(forked(used.aclose)) == 0
        asyncio.run(used.append(LOG, [b"parent"]))
        with suppress(Exception):
            asyncio.run(used.aclose())
