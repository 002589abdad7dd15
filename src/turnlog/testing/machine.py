"""Comparison of two stores: random calls on both, which must give the same results.

Two stores may use different positions. So their ranks are compared: a position's rank is its
ordinal among all positions that its log has ever had.
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
from turnlog.records import Log
from turnlog.store import Head, Store
from turnlog.testing.looking import all_sessions, end_of

__all__ = ["MakeStore", "stores_agree"]

#: Makes a fresh, empty store.
MakeStore: TypeAlias = Callable[[], Awaitable[Store]]

SETTINGS = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

# Few names, so that many calls concern the same log; one of them is the most frequent.
SESSIONS = ("a", "a%", "ab")
NAMES = ("main", ":usage")
LOGS = [Log(session, name) for session in SESSIONS for name in NAMES]

logs = st.just(LOGS[0]) | st.sampled_from(LOGS)
batches = st.lists(st.sampled_from([b"", b"1", b"\x00\xff", b"{}"]), max_size=4)
keys = st.none() | st.sampled_from(["k", ""])
limits = st.none() | st.integers(0, 5)
# A rank in a log: before all records, at one that it has or had, or past all of them.
ranks = st.integers(0, 6)
BEYOND = 10**30
# Where a writer believes the log to end, for `expect`.
beliefs = st.none() | st.sampled_from(["at its end", "empty", "where it ended before", "beyond"])


def stores_agree(left: MakeStore, right: MakeStore, *, settings: settings = SETTINGS) -> None:
    """Make the same random calls on both stores and compare every result.

    Each run makes new stores and closes them at its end. A failure shows the shortest list of
    calls that was found after which the results differ.
    """

    class Pair(_SideBySide):
        def __init__(self) -> None:
            super().__init__(left, right)

    run_state_machine_as_test(Pair, settings=settings)


class _Side:
    """One of the stores, and every position that each of its logs has ever had."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.positions: defaultdict[Log, list[int]] = defaultdict(lambda: [0])

    def position(self, log: Log, rank: int) -> int:
        known = self.positions[log]
        return known[rank] if rank < len(known) else BEYOND

    def window(self, log: Log, after: int, before: int | None) -> tuple[int, int | None]:
        end = None if before is None else self.position(log, before)
        return self.position(log, after), end

    async def believed(self, log: Log, belief: str | None) -> int | None:
        """The position that stands for `belief` in this store."""
        match belief:
            case "at its end":
                return await end_of(self.store, log)
            case "empty":
                return 0
            case "where it ended before":
                return self.positions[log][len(self.positions[log]) // 2]
            case "beyond":
                return BEYOND
        return None

    def rank(self, log: Log, position: int) -> int:
        """The ordinal of a position among all that the log has had; -1 if it is not one."""
        known = self.positions[log]
        return known.index(position) if position in known else -1

    async def learn(self, log: Log) -> None:
        """Remember the positions that are new."""
        known = self.positions[log]
        known += [record.position for record in await self.store.read(log, after=known[-1])]

    async def answer(self, log: Log, call: Coroutine[Any, Any, int]) -> object:
        """The result of a write, in a form that is equal for both stores."""
        try:
            return await call
        except Conflict as conflict:
            return "conflict", conflict.log, self.rank(log, conflict.actual)

    async def append(
        self, log: Log, batch: list[bytes], belief: str | None, key: str | None
    ) -> object:
        expect = await self.believed(log, belief)
        call = self.store.append(log, batch, expect=expect, key=key)
        answer = await self.answer(log, call)
        await self.learn(log)
        return self.rank(log, answer) if isinstance(answer, int) else answer

    async def read(
        self, log: Log, after: int, before: int | None, limit: int | None
    ) -> list[tuple[int, bytes]]:
        start, end = self.window(log, after, before)
        records = await self.store.read(log, after=start, before=end, limit=limit)
        return [(self.rank(log, record.position), record.payload) for record in records]

    async def remove(self, log: Log, after: int, before: int | None, belief: str | None) -> object:
        expect = await self.believed(log, belief)
        start, end = self.window(log, after, before)
        return await self.answer(
            log, self.store.remove(log, after=start, before=end, expect=expect)
        )

    async def everything(self) -> object:
        """Every session, head and record of the store."""
        sessions = [self._comparable(head) for head in await self.store.sessions()]
        heads = [head for session in SESSIONS for head in await self.store.logs(session)]
        records = [await self.read(head.log, 0, None, None) for head in heads]
        return sessions, [self._comparable(head) for head in heads], records

    def _comparable(self, head: Head) -> tuple[Log, int, int, bytes]:
        return head.log, self.rank(head.log, head.last), head.length, head.note


class _SideBySide(RuleBasedStateMachine):
    """The two stores, and the calls that are made on both."""

    def __init__(self, left: MakeStore, right: MakeStore) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._left = _Side(self._runner.run(_made(left)))
        self._right = _Side(self._runner.run(_made(right)))

    def _both(self, work: Callable[[_Side], Coroutine[Any, Any, object]]) -> None:
        left = self._runner.run(work(self._left))
        right = self._runner.run(work(self._right))
        assert left == right

    @rule(log=logs, batch=batches, belief=beliefs, key=keys)
    def append(self, log: Log, batch: list[bytes], belief: str | None, key: str | None) -> None:
        self._both(lambda side: side.append(log, batch, belief, key))

    @rule(log=logs, after=ranks, before=st.none() | ranks, limit=limits)
    def read(self, log: Log, after: int, before: int | None, limit: int | None) -> None:
        self._both(lambda side: side.read(log, after, before, limit))

    @rule(log=logs, after=ranks, before=st.none() | ranks, belief=beliefs)
    def remove(self, log: Log, after: int, before: int | None, belief: str | None) -> None:
        self._both(lambda side: side.remove(log, after, before, belief))

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
