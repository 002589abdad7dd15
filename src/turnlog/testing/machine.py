"""Comparison of two stores: random calls on both, which must give the same results.

Two stores may use different positions. So their ranks are compared: a position's rank is its
ordinal among all positions that its log has ever had.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from turnlog.changes import Annotate, Append, Change, Check, Committed, Forget, Key, Remove, Replace
from turnlog.errors import Conflict, RecordChanged
from turnlog.records import Log
from turnlog.store import Head, Store
from turnlog.testing.drafts import (
    BEYOND,
    NAMES,
    SESSIONS,
    TIMES,
    Draft,
    appends,
    beliefs,
    bounds,
    drafts,
    ids,
    keys,
    limits,
    names,
    others,
    ranks,
)
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
        self.kept: dict[tuple[str, str], Committed] = {}

    def position(self, log: Log, rank: int) -> int:
        known = self.positions[log]
        return known[rank] if rank < len(known) else BEYOND

    def bound(self, log: Log, rank: int | None) -> int | None:
        return None if rank is None else self.position(log, rank)

    def rank(self, log: Log, position: int) -> int:
        """The ordinal of a position among all that the log has had; -1 if it is not one."""
        known = self.positions[log]
        return known.index(position) if position in known else -1

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

    async def change(self, session: str, draft: Draft) -> Change:
        log = Log(session, draft.log)
        expect = await self.believed(log, draft.belief)
        after = self.bound(log, draft.after)
        if draft.kind is Append:
            batch = [payload for payload, _ in draft.batch]
            times = [moment for _, moment in draft.batch] if draft.timed else None
            return Append(draft.log, batch, expect, cut=after, times=times)
        if draft.kind is Replace:
            return await self.replacement(log, draft, expect)
        if draft.kind is Remove:
            return Remove(draft.log, after or 0, self.bound(log, draft.before), expect)
        if draft.kind is Annotate:
            return Annotate(draft.log, draft.note, draft.expect)
        if draft.kind is Forget:
            return Forget(draft.log, expect)
        return Check(draft.log, 0 if expect is None else expect)

    async def replacement(self, log: Log, draft: Draft, expect: int | None) -> Replace:
        stored = {record.position: record.payload for record in await self.store.read(log)}
        there = [*stored] or [BEYOND]
        positions = sorted({there[place % len(there)] for place in draft.places})
        if draft.old == "anywhere":  # where a record is, was or never was
            positions = sorted({self.position(log, place) for place in draft.places})
        old = [b"?" if draft.old == "unknown" else stored.get(at, b"") for at in positions]
        new = [payload for payload, _ in draft.batch[: len(positions)]]
        return Replace(log.name, positions, new, old, expect)

    async def commit(self, session: str, drafts: Sequence[Draft], key: Key | None) -> object:
        changes = [await self.change(session, draft) for draft in drafts]
        outcome = await self.outcome(self.store.commit(session, changes, key=key))
        for name in NAMES:
            await self.learn(Log(session, name))
        if not isinstance(outcome, Committed):
            return outcome
        if outcome.replayed:
            assert key is not None, "a commit without a key was replayed"
            return outcome == self.kept[session, key.name]._replace(replayed=True)
        assert len(outcome.positions) == len(changes)
        if key is not None:
            self.kept[session, key.name] = outcome
        return self.ranks(session, changes, outcome.positions)

    def ranks(self, session: str, changes: Sequence[Change], positions: Sequence[int]) -> object:
        return [
            self.rank(Log(session, change.log), position)
            for change, position in zip(changes, positions, strict=True)
        ]

    async def outcome(self, call: Coroutine[Any, Any, object]) -> object:
        """The result of a write; an error in a form that is equal for both stores."""
        try:
            return await call
        except ValueError:
            return "refused"
        except RecordChanged as changed:
            return "changed", changed.log, self.rank(changed.log, changed.position), changed.is_gone
        except Conflict as conflict:
            actual = conflict.actual
            shown = actual if isinstance(actual, bytes) else self.rank(conflict.log, actual)
            return "conflict", conflict.log, shown

    async def learn(self, log: Log) -> None:
        """Remember the positions that are new."""
        known = self.positions[log]
        known += (await self.store.read(log, after=known[-1])).positions

    async def read(
        self, log: Log, after: int, before: int | None, limit: int | None, oldest: bool
    ) -> list[tuple[int, bytes, float | None]]:
        records = await self.store.read(
            log,
            after=self.position(log, after),
            before=self.bound(log, before),
            limit=limit,
            oldest=oldest,
        )
        return [
            (self.rank(log, position), payload, moment if moment in TIMES else None)
            for position, payload, moment in records
        ]

    async def delete(self, session: str, belief: str | None) -> object:
        expect = await self.believed(Log(session), belief)
        return await self.outcome(self.store.delete(session, expect=expect))

    async def everything(self) -> object:
        """Every session, head and record of the store."""
        listed = [self._comparable(head) for head in await self.store.sessions()]
        heads = [head for session in SESSIONS for head in await self.store.logs(session)]
        records = [await self.read(head.log, 0, None, None, oldest=False) for head in heads]
        return listed, [self._comparable(head) for head in heads], records

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

    @rule(session=ids, drafts=drafts, key=keys)
    def commit(self, session: str, drafts: Sequence[Draft], key: Key | None) -> None:
        self._both(lambda side: side.commit(session, drafts, key))

    @rule(session=ids, draft=appends)
    def append(self, session: str, draft: Draft) -> None:
        self._both(lambda side: side.commit(session, [draft], None))

    @rule(session=ids, draft=others, key=keys)
    def change(self, session: str, draft: Draft, key: Key | None) -> None:
        self._both(lambda side: side.commit(session, [draft], key))

    @rule(
        session=ids,
        name=names,
        after=ranks,
        before=bounds,
        limit=limits,
        oldest=st.booleans(),
    )
    def read(
        self,
        session: str,
        name: str,
        after: int,
        before: int | None,
        limit: int | None,
        oldest: bool,
    ) -> None:
        self._both(lambda side: side.read(Log(session, name), after, before, limit, oldest))

    @rule(
        prefix=st.sampled_from(["", "a", "a%", "%", "A"]),
        page=st.integers(1, 4),
        oldest=st.booleans(),
    )
    def sessions(self, prefix: str, page: int, oldest: bool) -> None:
        self._both(lambda side: all_sessions(side.store, prefix=prefix, page=page, oldest=oldest))

    @rule(session=ids, belief=beliefs)
    def delete(self, session: str, belief: str | None) -> None:
        self._both(lambda side: side.delete(session, belief))

    @invariant()
    def look_the_same(self) -> None:
        self._both(_Side.everything)

    def teardown(self) -> None:
        self._both(lambda side: side.store.aclose())
        self._runner.close()


async def _made(make: MakeStore) -> Store:
    return await make()
