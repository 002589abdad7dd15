"""Totals: what the runs of one branch or of all branches have spent, added up in several ways."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Literal, NamedTuple, TypeAlias, TypeVar, get_args

from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import TurnIndex
from turnlog.conversation.reading.turn_usage import Places, newest_entries
from turnlog.conversation.usage.entries import Entry, counted
from turnlog.conversation.usage.usage import Usage, total
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Branches", "By", "Totals"]

By: TypeAlias = Literal["turn", "run", "agent", "model"]
Branches: TypeAlias = Literal["this", "all"]

K = TypeVar("K", bound=Hashable)


class _Run(NamedTuple):
    """One run, and the number of its turn; None if that turn is gone or was not looked for."""

    entry: Entry
    turn: int | None


class Totals:
    """Totals of what was spent on one branch or on all.

    log: the branch.
    turns: only the newest turns, so many of each branch; None counts all.
    """

    def __init__(self, store: Store, log: Log, branches: Branches, turns: int | None) -> None:
        if branches not in get_args(Branches):
            raise ValueError(f'branches is {branches!r}; it must be "this" or "all"')
        if turns is not None and turns < 0:
            raise ValueError(f"turns must not be negative, and is {turns}")
        self._store = store
        self._log = log
        self._all = branches == "all"
        self._turns = turns

    async def by(self, by: By | None) -> Usage | dict[int | None, Usage] | dict[str, Usage]:
        """The total, or a dict of totals."""
        if by is not None and by not in get_args(By):
            raise ValueError(f'by is {by!r}; it must be None, "turn", "run", "agent" or "model"')
        runs = await self._runs(numbered=by == "turn")
        if by is None:
            return total(run.entry.usage for run in runs)
        if by == "turn":
            return _summed((run.turn, run.entry.usage) for run in runs)
        if by == "run":
            return {run.entry.run: run.entry.usage for run in runs}
        parts = (part for run in runs for part in run.entry.parts)
        return _summed((part.agent if by == "agent" else part.model, part.usage) for part in parts)

    async def _runs(self, *, numbered: bool) -> list[_Run]:
        """Each run once: where its turn is, if that is known."""
        found: dict[str, _Run] = {}
        for log in await self._branches():
            for run in await self._runs_on(log, numbered=numbered):
                known = found.get(run.entry.run)
                if known is None or known.turn is None:
                    found[run.entry.run] = run
        return list(found.values())

    async def _branches(self) -> list[Log]:
        """The branches to count; "main" is the first."""
        if not self._all:
            return [self._log]
        names = {head.log.name for head in await self._store.logs(self._log.session)}
        others = sorted(name.partition("@")[2] for name in names if name.startswith(":usage@"))
        return [Log(self._log.session, name) for name in ("main", *others)]

    async def _runs_on(self, log: Log, *, numbered: bool) -> list[_Run]:
        if self._turns is None:
            entries = await counted(self._store, log)
            if not numbered or not entries:
                return [_Run(entry, None) for entry in entries]
            places = Places(await self._index(log).newest(None))
            return [_Run(entry, places.number_of(entry)) for entry in entries]
        turns = await self._index(log).newest(self._turns)
        places, numbers = Places(turns), {turn.number for turn in turns}
        entries = await newest_entries(self._store, log, turns)
        runs = (_Run(entry, places.number_of(entry)) for entry in entries)
        return [run for run in runs if run.turn in numbers]

    def _index(self, log: Log) -> TurnIndex:
        return TurnIndex(LogReader(self._store, log))


def _summed(pairs: Iterable[tuple[K, Usage]]) -> dict[K, Usage]:
    sums: dict[K, Usage] = {}
    for key, usage in pairs:
        sums[key] = sums.get(key, Usage()) + usage
    return sums
