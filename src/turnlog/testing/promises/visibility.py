"""Visibility: readers see all that one commit wrote to several logs, or nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Any

from turnlog.changes import Append, Remove
from turnlog.errors import Conflict
from turnlog.records import Log, Records
from turnlog.store import Store
from turnlog.testing.looking import end_of

__all__ = ["Visibility"]

MAIN, LEASE, USAGE = Log("s"), Log("s", ":lease"), Log("s", ":usage")
WRITERS = 8
TURNS = 24
DELETIONS = 200


class Visibility:
    """A reader of one log and then of another never sees the second one behind the first."""

    async def test_a_log_read_later_is_never_behind(self, store: Store, twin: Store) -> None:
        names = ("main", ":usage", "side")

        async def write(handle: Store, writer: int) -> None:
            for n in range(8):
                batch = [b"%d.%d" % (writer, n)]
                await handle.commit("s", [Append(name, batch) for name in names])
                await asyncio.sleep(0)

        async def look(handle: Store, order: Sequence[str], writing: asyncio.Future[Any]) -> None:
            while not writing.done():
                shown: list[bytes] = []
                for name in order:
                    found = list((await handle.read(Log("s", name))).payloads)
                    assert found[: len(shown)] == shown
                    shown = found
                await asyncio.sleep(0)

        writing = asyncio.gather(*(write([store, twin][n % 2], n) for n in range(WRITERS)))
        await asyncio.gather(look(twin, names, writing), look(store, names[::-1], writing), writing)

    async def test_turns_are_seen_whole_among_deletions(self, store: Store, twin: Store) -> None:
        """Writers take a lease with a question and give it back with an answer; one deletes."""
        writing = asyncio.gather(*(_turns([store, twin][n % 2], n) for n in range(WRITERS)))
        await asyncio.gather(
            _delete(store, writing), _look(twin, writing), _look(store, writing), writing
        )


async def _turns(store: Store, writer: int) -> None:
    """Try some turns, and on until one was finished.

    The pauses between tries get longer by chance, or writers that run in lockstep could take the
    lease from each other for ever.
    """
    chance = Random(writer)  # noqa: S311 - the same pauses in every run
    finished = False
    for n in count():
        finished |= await _turn(store, b"%d.%d" % (writer, n))
        if finished and n >= TURNS:
            return
        await asyncio.sleep(0 if finished else chance.random() * min(n, 20) / 1_000)


async def _turn(store: Store, name: bytes) -> bool:
    """Take the lease, from whoever has it, and keep it until the answer if nobody takes it."""
    end = await end_of(store, LEASE)
    take = Append(":lease", [name], expect=end, cut=0)
    try:
        mine, _ = (await store.commit("s", [take, Append("main", [b"?" + name])])).positions
        await asyncio.sleep(0)
        await store.commit(
            "s",
            [
                Append("main", [b"!" + name]),
                Append(":usage", [name]),
                Remove(":lease", expect=mine),
            ],
        )
    except Conflict:
        return False
    return True


async def _delete(store: Store, writing: asyncio.Future[Any]) -> None:
    chance = Random(1)  # noqa: S311 - the same pauses in every run
    for _ in range(DELETIONS):  # not for ever: on a slow machine no turn would be finished
        if writing.done():
            return
        await asyncio.sleep(chance.choice([0, 0.001, 0.004]))
        await store.delete("s")


async def _look(store: Store, writing: asyncio.Future[Any]) -> None:
    while not writing.done():
        before = await store.read(MAIN)
        lease, usage = await store.read(LEASE), await store.read(USAGE)
        after = await store.read(MAIN)
        _assert_turns_are_whole(before)
        _assert_turns_are_whole(after)
        if before and before.positions[0] in after.positions:  # it was not deleted in between
            _assert_together(before, lease, usage, after)
        await asyncio.sleep(0)


def _assert_turns_are_whole(main: Records) -> None:
    """Every answer comes right after its question: between them, nobody else had the lease."""
    said = list(main.payloads)
    for n, payload in enumerate(said):
        if payload.startswith(b"!"):
            assert n > 0, "an answer without its question"
            assert said[n - 1] == b"?" + payload[1:], "something between question and answer"


def _assert_together(before: Records, lease: Records, usage: Records, after: Records) -> None:
    """Lease and usage, read after `before` and ahead of `after`, agree with both."""
    answered = {payload[1:] for payload in before.payloads if payload.startswith(b"!")}
    assert answered <= set(usage.payloads), "an answer is seen ahead of its usage"
    assert not answered & set(lease.payloads), "an answer is seen ahead of the end of its lease"
    if before.payloads[-1].startswith(b"?") and before.positions[-1] == after.positions[-1]:
        assert list(lease.payloads) == [before.payloads[-1][1:]], "a question without its lease"
