"""Accounting: the methods of a session that record and add up what its runs have spent."""

from __future__ import annotations

from typing import Literal, overload

from turnlog.conversation.handle import Handle
from turnlog.conversation.totals import Branches, By, Totals
from turnlog.conversation.turns.current import open_turn_on
from turnlog.conversation.usage.question import Question
from turnlog.conversation.usage.recording import PendingUsage
from turnlog.conversation.usage.run_results import cost_of
from turnlog.conversation.usage.usage import Usage

__all__ = ["Accounting"]


class Accounting(Handle):
    """The methods of a session that record and add up the tokens that its runs have spent."""

    async def store_run_usage(self, result: object) -> None:
        """Record what a run has spent: the result of our Runner or of the SDK's.

        It is recorded for the newest turn of this branch; before the first question, for none.
        Several runs of a turn add up. One result counts once, however often this is called, and
        for as much as it has spent by the last call. What our Runner has recorded itself on this
        branch is not recorded again.

        Raises `TypeError` for anything else than a result, `BranchDeleted` if the branch was
        deleted.
        """
        log = self._log()
        pending = PendingUsage(self.store, log, Question(None, is_exact=False), cost_of(result))
        turn = open_turn_on(self.store, log)
        if turn is None:
            await pending.record(is_new=True)
        elif (change := await pending.change()) is not None:
            await turn.commit([change])
            pending.mark_recorded()

    @overload
    async def usage(
        self, by: None = None, *, branches: Branches = "this", turns: int | None = None
    ) -> Usage: ...

    @overload
    async def usage(
        self, by: Literal["turn"], *, branches: Branches = "this", turns: int | None = None
    ) -> dict[int | None, Usage]: ...

    @overload
    async def usage(
        self,
        by: Literal["run", "agent", "model"],
        *,
        branches: Branches = "this",
        turns: int | None = None,
    ) -> dict[str, Usage]: ...

    async def usage(
        self, by: By | None = None, *, branches: Branches = "this", turns: int | None = None
    ) -> Usage | dict[int | None, Usage] | dict[str, Usage]:
        """The usage of the runs on this branch, or on all branches.

        by: None gives the total; "turn", "run", "agent" or "model" a dict. The keys for turns
            are their numbers, 0 for what was spent before the first question, and None for what
            was spent on turns that were popped or rewound since. The key for runs is the id of
            the run, `RunResult.run_id`. The name of an agent or a model that is not known is "".
        branches: "all" counts all branches that there are, and what a fork has copied once.
        turns: only the newest turns, so many of each branch; None counts all.

        Raises `ValueError` for other arguments.
        """
        log = self._log()
        totals = Totals(self.store, log, branches, turns)
        return await totals.by(by)
