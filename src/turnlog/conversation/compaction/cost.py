"""The cost of summaries: it is recorded as the usage of an agent of its own."""

from __future__ import annotations

from turnlog.conversation.compaction.summariser import Answer, Summarised, Summariser, summary_by
from turnlog.conversation.usage.metering import Meter, current_meter, metered
from turnlog.conversation.usage.reported import counts_in, usage_in
from turnlog.conversation.usage.spending import Spending
from turnlog.items.json import Item

__all__ = ["paid", "with_usage"]

#: The agent under which the usage of summaries is recorded.
_AGENT = "compaction"


def with_usage(summarise: Summariser, spending: Spending) -> Summariser:
    """`summarise`; what it costs is added to `spending`, also if it fails or its summary is no use.

    If it tells what its summary has cost, that counts. Otherwise, and if it fails, what was
    metered counts: the runs without a session that it has made, and what it has `paid`.
    """

    async def counted(items: list[Item]) -> Answer:
        with metered() as meter:
            try:
                answer = await summary_by(summarise, items)
            except BaseException:
                _add_metered(meter, spending)
                raise
        if isinstance(answer, Summarised) and answer.usage is not None:
            spending.add(usage_in(answer.usage), _AGENT, answer.model)
        else:
            _add_metered(meter, spending)
        return answer

    return counted


def paid(usage: object, model: str) -> None:
    """A summariser is about to fail, and has spent so much on `model` by then.

    usage: as in `usage_in`; what can't be read counts as nothing, since the failure is raised.
    """
    meter = current_meter()
    if meter is not None:
        spending = Spending()
        spending.add(counts_in(usage), _AGENT, model)
        meter.spent.append(spending)


def _add_metered(meter: Meter, spending: Spending) -> None:
    """All of it counts as spent on the summary, whatever the agents were called."""
    for each in meter.spent:
        for part in each.parts():
            spending.add(part.usage, _AGENT, part.model)
