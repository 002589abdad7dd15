"""Two stores side by side, driven at random, that must give the same answers.

Positions are each store's own. What is compared is their rank: the how-manieth record
that its log has ever had.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from turnlog.errors import Conflict
from turnlog.store import Head, Log, Store
from turnlog.testing.looking import all_sessions

__all__ = ["MakeStore", "stores_agree"]

#: Makes a fresh, empty store.
MakeStore: TypeAlias = Callable[[], Awaitable[Store]]

SETTINGS = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

# Few names, so that they meet; the odd ones begin with one another.
SESSIONS = ("a", "a%", "ab", "")
NAMES = ("main", "side", ":usage")

logs = st.builds(Log, st.sampled_from(SESSIONS), st.sampled_from(NAMES))
batches = st.lists(st.sampled_from([b"", b"1", b"\x00\xff", b"{}"]), max_size=4)
keys = st.none() | st.sampled_from(["k", "K", ""])
limits = st.none() | st.integers(0, 5)
# A place in a log: before all, at one of the records that it has or had, or past all.
places = st.integers(0, 12)
END = 10**30


def stores_agree(left: MakeStore, right: MakeStore, *, settings: settings = SETTINGS) -> None:
    """Drive both stores through the same random work and compare every answer.

    Each run of the machine makes both stores anew and closes them. Fails with the
    shortest list of calls that it finds, after which the answers differ.
    """

    class Pair(_SideBySide):
        def __init__(self) -> None:
            super().__init__(left, right)

    run_state_machine_as_test(Pair, settings=settings)


class _Side:
    """One of the stores, and every position that each of its logs ever had."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.positions: defaultdict[Log, list[int]] = defaultdict(lambda: [0])

    def position(self, log: Log, place: int | None) -> int | None:
        if place is None:
            return None
        known = self.positions[log]
        return known[place] if place < len(known) else END

    def rank(self, log: Log, position: int) -> int:
        """The how-manieth of the log's positions this is; -1 if it never was one."""
        known = self.positions[log]
        return known.index(position) if position in known else -1

    async def learn(self, log: Log) -> None:
        """Take note of the positions that are new."""
        known = self.positions[log]
        known += [record.position for record in await self.store.read(log, after=known[-1])]

    async def answer(self, log: Log, call: Coroutine[Any, Any, int]) -> object:
        """What a write comes to, in words that both stores share."""
        try:
            return await call
        except Conflict as conflict:
            return "conflict", conflict.log, self.rank(log, conflict.actual)

    async def append(
        self, log: Log, batch: list[bytes], place: int | None, key: str | None
    ) -> object:
        expect = self.position(log, place)
        call = self.store.append(log, batch, expect=expect, key=key)
        answer = await self.answer(log, call)
        await self.learn(log)
        return self.rank(log, answer) if isinstance(answer, int) else answer

    async def read(
        self, log: Log, after: int, before: int | None, limit: int | None
    ) -> list[tuple[int, bytes]]:
        records = await self.store.read(
            log,
            after=self.position(log, after) or 0,
            before=self.position(log, before),
            limit=limit,
        )
        return [(self.rank(log, record.position), record.payload) for record in records]

    async def remove(self, log: Log, after: int, before: int | None, place: int | None) -> object:
        call = self.store.remove(
            log,
            after=self.position(log, after) or 0,
            before=self.position(log, before),
            expect=self.position(log, place),
        )
        return await self.answer(log, call)

    async def everything(self) -> object:
        """All that can be seen of the store."""
        sessions = [self._told(head) for head in await self.store.sessions()]
        heads = [head for session in SESSIONS for head in await self.store.logs(session)]
        records = [await self.read(head.log, 0, None, None) for head in heads]
        return sessions, [self._told(head) for head in heads], records

    def _told(self, head: Head) -> tuple[Log, int, int, bytes]:
        return head.log, self.rank(head.log, head.last), head.length, head.note


class _SideBySide(RuleBasedStateMachine):
    """The two stores, and the work that they are given."""

    def __init__(self, left: MakeStore, right: MakeStore) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._left = _Side(self._runner.run(_made(left)))
        self._right = _Side(self._runner.run(_made(right)))

    def _both(self, work: Callable[[_Side], Coroutine[Any, Any, object]]) -> None:
        left = self._runner.run(work(self._left))
        right = self._runner.run(work(self._right))
        assert left == right

    @rule(log=logs, batch=batches, key=keys)
    def append(self, log: Log, batch: list[bytes], key: str | None) -> None:
        self._both(lambda side: side.append(log, batch, None, key))

    @rule(log=logs, batch=batches, place=places, key=keys)
    def append_expecting(self, log: Log, batch: list[bytes], place: int, key: str | None) -> None:
        self._both(lambda side: side.append(log, batch, place, key))

    @rule(log=logs, after=places, before=st.none() | places, limit=limits)
    def read(self, log: Log, after: int, before: int | None, limit: int | None) -> None:
        self._both(lambda side: side.read(log, after, before, limit))

    @rule(log=logs, after=places, before=st.none() | places, place=st.none() | places)
    def remove(self, log: Log, after: int, before: int | None, place: int | None) -> None:
        self._both(lambda side: side.remove(log, after, before, place))

    @rule(log=logs, note=st.sampled_from([b"", b"note", b"\x00\xff"]))
    def annotate(self, log: Log, note: bytes) -> None:
        self._both(lambda side: side.store.annotate(log, note))

    @rule(prefix=st.sampled_from(["", "a", "a%", "%", "A"]), page=st.integers(1, 4))
    def sessions(self, prefix: str, page: int) -> None:
        self._both(lambda side: all_sessions(side.store, prefix=prefix, page=page))

    @rule(session=st.sampled_from(SESSIONS), name=st.none() | st.sampled_from(NAMES))
    def delete(self, session: str, name: str | None) -> None:
        self._both(lambda side: side.store.delete(session, name))

    @invariant()
    def look_the_same(self) -> None:
        self._both(_Side.everything)

    def teardown(self) -> None:
        self._both(lambda side: side.store.aclose())
        self._runner.close()


async def _made(make: MakeStore) -> Store:
    return await make()
