"""Compactable: the methods of a session that compact it, and undo that."""

from __future__ import annotations

from turnlog.conversation.compaction.compacting import dropped, planned
from turnlog.conversation.compaction.cost import with_usage
from turnlog.conversation.compaction.policy import counter_of
from turnlog.conversation.compaction.summariser import Summariser, check_summariser, reads_sealed
from turnlog.conversation.handle import Handle
from turnlog.conversation.summaries.outcome import CompactionResult
from turnlog.conversation.usage.question import Question
from turnlog.conversation.usage.recording import PendingUsage, recorded
from turnlog.conversation.usage.spending import Spending
from turnlog.items.given import check_int

__all__ = ["Compactable"]


class Compactable(Handle):
    """What a session can do to show its older turns as a summary. All records stay stored."""

    async def compact(
        self, summarise: Summariser | None = None, *, keep: int = 2, dry_run: bool = False
    ) -> CompactionResult | None:
        """Show the older turns as a summary from now on. Their records stay: see `history`.

        summarise: an async function of the items to stand for, those of an earlier summary
            included. It returns a text, the items that stand for them, or a `Summarised`.
        keep: how many of the newest turns are shown as they are. A turn that has no answer yet
            always is, and so is a call that a run under way may still answer.
        dry_run: only say what would be covered; `summarise` is not called.

        Returns what it covers. None if there is nothing to cover, or if what was to be covered
        has changed while the summary was written; then nothing was stored. What others add
        meanwhile stays visible. An error of `summarise` is raised, and nothing has changed.

        Raises `ModelBehaviorError` for a summary that is not shorter than what it stands for;
        one of up to 200 tokens always is accepted. Raises `TypeError` without `summarise`, and in
        a class that overrides `get_items`, because the records behind its items are not known.
        """
        log = self._log()
        count = check_int("keep", keep, 0)
        self._check_compactable()
        if summarise is None and not dry_run:
            raise TypeError(
                "compact() needs a summariser: an async function that makes a text of a list of "
                "items; or dry_run=True, which only says what would be covered"
            )
        if summarise is not None:
            check_summariser(summarise)
        plan = await planned(self.store, log, count, reads_sealed=reads_sealed(summarise))
        if plan is None or summarise is None or dry_run:
            return None if plan is None else plan.result
        spending = Spending()
        try:
            tokens = await counter_of(None, self._settings)
            return await plan.made(self.store, with_usage(summarise, spending), tokens)
        finally:
            self._forget_summaries()
            question = Question(None, is_exact=False)
            await recorded(PendingUsage(self.store, log, question, spending))

    async def drop_summary(self) -> bool:
        """Undo the newest compaction: what was shown before is shown again.

        An older summary counts again, if there is one. Returns whether there was one to drop.
        """
        done = await dropped(self.store, self._log())
        self._forget_summaries()
        return done

    def _forget_summaries(self) -> None:
        """Read the summaries at the next use, and don't rely on what is known of them."""
        if self._known_summaries is not None:
            self._known_summaries.is_outdated = True

    def _check_compactable(self) -> None:
        if self._is_overridden("get_items"):
            raise TypeError(
                f"{type(self).__name__} overrides get_items, so the records behind its items are "
                f"not known: compact a StoredSession on the same store"
            )
