"""Recording usage: the record of a run is written together with the last write of the run."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from turnlog.changes import Append, Change, Check
from turnlog.conversation.deletion import commit_unless_deleted
from turnlog.conversation.usage.question import Question
from turnlog.conversation.usage.spending import Place, Spending
from turnlog.conversation.usage.usage import Usage
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["PendingUsage", "merged", "recorded"]

_logger = logging.getLogger(__name__)


class PendingUsage:
    """The spending of one run on one branch, to be recorded with its last write.

    question: where its question is stored.
    """

    def __init__(self, store: Store, log: Log, question: Question, spending: Spending) -> None:
        self.log = log
        self._spending = spending
        self._store = store
        self._question = question
        self._written = Usage()

    @property
    def is_open(self) -> bool:
        """Whether something that was spent is not recorded yet."""
        return self._spending.has_unrecorded(self._place)

    async def change(self) -> Append | None:
        """Writes the record; None if all that was spent is recorded.

        It reads the log if the question's position is not known.
        """
        if not self.is_open:
            return None
        position = await self._question.position(self._store, self.log)
        self._question = Question(position, is_exact=True)
        self._written = self._spending.usage
        return Append(self.log.beside("usage").name, [self._spending.payload(position)])

    def mark_recorded(self) -> None:
        """The change is made."""
        self._spending.mark_recorded(self._written, self._place)

    async def record(self, *, is_new: bool = False) -> None:
        """Record it in a commit of its own, unless the conversation was deleted meanwhile.

        is_new: it may be the first that is written to the branch.

        Raises `BranchDeleted` if that was deleted.
        """
        while self.is_open:
            newest = await self._store.read(self.log, limit=1)
            change = await self.change()
            if change is None or not (newest or is_new):
                return
            fence = Check(self.log.name, newest.positions[-1] if newest else 0)
            try:
                await commit_unless_deleted(self._store, self.log, [fence, change])
            except Conflict as conflict:
                if conflict.log != self.log:
                    raise
            else:
                self.mark_recorded()

    @property
    def _place(self) -> Place:
        return self._store.identity, self.log


def merged(changes: Iterable[Change]) -> list[Change]:
    """The same changes, with one Append for each log: a commit takes no more.

    Only Appends without conditions, cuts and times are merged.
    """
    plain: dict[str, list[bytes]] = {}
    others: list[Change] = []
    for change in changes:
        if isinstance(change, Append) and change == Append(change.log, change.payloads):
            plain.setdefault(change.log, []).extend(change.payloads)
        else:
            others.append(change)
    return [*others, *(Append(log, payloads) for log, payloads in plain.items())]


async def recorded(pending: PendingUsage, *, is_new: bool = False) -> None:
    """Record it in a commit of its own.

    is_new: the branch may hold no records.

    No error is raised: the caller is to get the run's own outcome.
    """
    try:
        await pending.record(is_new=is_new)
    except Exception as error:  # noqa: BLE001 - see the docstring
        _logger.warning(
            "the usage of a run on %r was not recorded: %s", pending.log, type(error).__name__
        )
