"""Automatic compaction: behind a turn that has ended, as its policy asks for it.

It runs outside of the lease, so other runs go on meanwhile. Nothing of it can fail the turn: that
is over, and its answer is stored.
"""

from __future__ import annotations

import asyncio
import logging

from turnlog.conversation.compaction.compactable import Compactable
from turnlog.conversation.compaction.compacting import Planned, planned
from turnlog.conversation.compaction.cost import with_usage
from turnlog.conversation.compaction.failures import Failures
from turnlog.conversation.compaction.policy import Compaction, Size, counter_of
from turnlog.conversation.compaction.summariser import (
    Answer,
    Summariser,
    checked_summary,
    reads_sealed,
)
from turnlog.conversation.compaction.tries import tried
from turnlog.conversation.reading.view import View
from turnlog.conversation.settings import SessionSettings
from turnlog.conversation.summaries.outcome import Compacted, CompactionResult
from turnlog.conversation.turns.current import open_turn_on
from turnlog.conversation.usage.question import Question
from turnlog.conversation.usage.recording import PendingUsage, recorded
from turnlog.conversation.usage.spending import Spending
from turnlog.conversation.usage.usage import Usage
from turnlog.errors import ModelBehaviorError
from turnlog.items.json import Item
from turnlog.items.repair import repair
from turnlog.items.tokens import TokenCounter
from turnlog.items.turns import turn_starts
from turnlog.records import Log

__all__ = ["compacted_after"]

# A summary is worth a request of a model if it stands for at least so much of what is shown.
_LEAST_SHARE = 0.1

_failures = Failures(_LEAST_SHARE)

_logger = logging.getLogger(__name__)


async def compacted_after(
    session: Compactable,
    compaction: Compaction,
    *,
    question: Question | None = None,
    reported: Usage | None = None,
) -> Compacted | None:
    """Compact `session` behind a turn that has ended; None if there was nothing to do.

    question: of the turn, to which its usage is counted.
    reported: what the provider has reported of the last request of the turn.

    No error is raised but that the task is cancelled: the kind of an error is logged.
    """
    log = Log(session.session_id, session.branch)
    if compaction.summarise is None or open_turn_on(session.store, log) is not None:
        return None
    spending = Spending()
    because, size = "", None
    try:
        async with asyncio.timeout(compaction.timeout):
            because, size, plan = await _due(session, compaction, reported)
            if plan is None:
                return None
            if _failures.is_too_early((session.store.identity, log), size.tokens):
                return Compacted(because, is_waiting=True)
            made = await _made(session, compaction, plan, spending)
    except Exception as error:  # noqa: BLE001 - see the docstring
        _logger.warning("session %r was not compacted: %s", log, type(error).__name__)
        if size is not None:
            _failures.note((session.store.identity, log), size.tokens)
        return Compacted(because, failure=type(error).__name__)
    finally:
        session._forget_summaries()  # noqa: SLF001 - not for users
        asked = question or Question(None, is_exact=False)
        await recorded(PendingUsage(session.store, log, asked, spending))
    _failures.forget((session.store.identity, log))
    return Compacted(because, made)


async def _made(
    session: Compactable, compaction: Compaction, plan: Planned, spending: Spending
) -> CompactionResult | None:
    """The summary that `plan` asks for; None if the branch has changed meanwhile."""
    if compaction.summarise is None:
        return None
    count = await counter_of(compaction, session.session_settings)
    summarise = tried(with_usage(compaction.summarise, spending))
    return await plan.made(session.store, _fitting(summarise, compaction, count), count)


async def _due(
    session: Compactable, compaction: Compaction, reported: Usage | None
) -> tuple[str, Size, Planned | None]:
    """The bound that was met, the size of what is shown, and what a summary would cover."""
    settings = await compaction.bounding(session.session_settings, [])
    count = await counter_of(compaction, settings)
    size = await _size(session, compaction, count)
    told = _told(reported)
    because = compaction.due(size if told is None else size._replace(tokens=told))
    if not because:
        return "", size, None
    log, reads = session._log(), reads_sealed(compaction.summarise)  # noqa: SLF001 - not for users
    plan = await planned(session.store, log, compaction.keep, reads_sealed=reads)
    if plan is None or _is_small(plan, size, count):
        return because, size, None
    return because, size, plan


async def _size(session: Compactable, compaction: Compaction, count: TokenCounter) -> Size:
    """The size of all that the next turn would be shown if no window cut it."""
    asked = SessionSettings(
        shorten=compaction.shortening, reads_compaction=reads_sealed(compaction.summarise)
    )
    shown = await (await View.of(session.tail(), asked)).shown()
    return Size(len(shown), len(turn_starts(shown)), sum(map(count, shown)))


def _told(reported: Usage | None) -> int | None:
    """The tokens that the next request begins with, as the provider counts them."""
    if reported is None or reported.requests > 1 or not reported.input_tokens:
        return None
    return reported.input_tokens + reported.output_tokens


def _fitting(summarise: Summariser, compaction: Compaction, count: TokenCounter) -> Summariser:
    """`summarise`; a summary that exceeds the bound on tokens by itself is refused.

    There would be no room to show it, and the turns that it stands for would be shown no more.
    """

    async def fitting(items: list[Item]) -> Answer:
        answer = await summarise(items)
        tokens, most = sum(map(count, checked_summary(answer).items)), compaction.due_tokens
        if most is not None and tokens > most:
            raise ModelBehaviorError(f"the summary has {tokens} tokens, more than its bound allows")
        return answer

    return fitting


def _is_small(plan: Planned, size: Size, count: TokenCounter) -> bool:
    """Whether a summary would stand for so little that it hardly changes what is shown."""
    new = repair(plan.items)[-plan.result.added :]
    return sum(map(count, new)) < _LEAST_SHARE * size.tokens
