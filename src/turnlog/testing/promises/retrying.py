"""Retries: a commit whose answer was lost is repeated with its key, and made once."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from turnlog.changes import Annotate, Append, Change, Committed, Forget, Key, Remove, Replace
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.failing import Failing, Failure, Plan
from turnlog.testing.looking import head_of, payloads_of, positions_of

__all__ = ["Retrying"]

ROUNDS = 24


def _lossy(seed: int) -> Plan:
    """Of the commits, some don't reach the store, and the answers of some get lost."""
    chance = Random(seed)  # noqa: S311 - the same losses in every run

    def plan(verb: str) -> Failure | None:
        if verb != "commit" or chance.random() < 0.4:
            return None
        return Failure(ConnectionError("lost"), happened=chance.random() < 0.6)

    return plan


async def _until_answered(
    store: Store, session: str, changes: list[Change], key: Key
) -> tuple[Committed, int]:
    """Commit until there is an answer; returns it, and how often it took."""
    for tries in range(1, 200):
        try:
            return await store.commit(session, changes, key=key), tries
        except ConnectionError:
            await asyncio.sleep(0)
    raise AssertionError("200 answers were lost one after another")


class Retrying:
    """With a key, no lost answer makes a change twice, in any of the logs."""

    async def test_every_commit_is_made_once(self, store: Store, twin: Store) -> None:
        handles = [Failing(store, _lossy(1)), Failing(twin, _lossy(2))]
        replayed = 0
        for n in range(ROUNDS):
            payload, before = b"%d" % n, b"%d" % (n - 1) if n else b""
            changes: list[Change] = [
                Append("main", [payload, payload]),
                Annotate("main", payload, expect=before),
                Append(":lease", [payload], cut=0),
                Append(":usage", [payload]),
            ]
            key = Key(f"k{n}", payload, brief=n % 2 == 1)
            done, tries = await _until_answered(handles[n % 2], "s", changes, key)
            replayed += done.replayed
            assert tries > 1 or not done.replayed
            ends = [(await positions_of(store, Log("s", change.log)))[-1] for change in changes]
            assert done.positions == tuple(ends)
        assert replayed > 0
        payloads = [b"%d" % n for n in range(ROUNDS)]
        assert await payloads_of(store, Log("s", ":usage")) == payloads
        assert await payloads_of(store, Log("s", ":lease")) == payloads[-1:]
        doubled = [payload for payload in payloads for _ in range(2)]
        assert await payloads_of(store, Log("s")) == doubled
        assert (await head_of(store, Log("s"))).note == payloads[-1]

    async def test_writers_who_retry_at_once(self, store: Store, twin: Store) -> None:
        async def write(handle: Store, writer: int) -> None:
            for n in range(4):
                name = b"%d.%d" % (writer, n)
                changes: list[Change] = [Append("main", [name]), Append(":usage", [name, name])]
                await _until_answered(handle, "s", changes, Key(name.decode()))

        writers = range(6)
        handles = [Failing([store, twin][n % 2], _lossy(n)) for n in writers]
        await asyncio.gather(*(write(handles[n], n) for n in writers))
        main = await payloads_of(store, Log("s"))
        assert sorted(main) == sorted(
            b"%d.%d" % (writer, n) for writer in writers for n in range(4)
        )
        usage = await payloads_of(store, Log("s", ":usage"))
        assert usage == [name for name in main for _ in range(2)]

    async def test_replacements_are_not_repeated_on_what_came_later(
        self, store: Store, log: Log
    ) -> None:
        failing = Failing(store, lambda _: Failure(ConnectionError("lost"), happened=True))
        end = await store.append(log, [b"1"])
        forth = Replace(log.name, [end], [b"2"], [b"1"])
        with pytest.raises(ConnectionError):
            await failing.commit(log.session, [forth], key=Key("forth"))
        await store.commit(log.session, [Replace(log.name, [end], [b"1"], [b"2"])])
        failing.plan = lambda _: None
        done = await failing.commit(log.session, [forth], key=Key("forth"))
        assert (done.positions, done.replayed) == ((end,), True)
        assert await payloads_of(store, log) == [b"1"]

    async def test_removals_are_not_repeated_on_what_came_later(
        self, store: Store, log: Log
    ) -> None:
        failing = Failing(store)
        changes: list[Change] = [Remove(log.name), Forget(log.name), Append(log.name, [], cut=0)]
        for n, change in enumerate(changes):
            await store.append(log, [b"old"])
            failing.plan = lambda _: Failure(ConnectionError("lost"), happened=True)
            try:
                await failing.commit(log.session, [change], key=Key(f"k{n}"))
            except ConnectionError:
                await store.append(log, [b"new"])
            failing.plan = lambda _: None
            done = await failing.commit(log.session, [change], key=Key(f"k{n}"))
            assert (done.positions, done.replayed) == ((0,), True)
            assert await payloads_of(store, log) == [b"new"]
            await store.remove(log)
