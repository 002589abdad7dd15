"""The cost of summaries: it is recorded as the usage of an agent of its own."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.conversation.compaction.summariser import Summarised, Summariser, asked
from turnlog.conversation.usage.reported import usage_in
from turnlog.conversation.usage.spending import Spending
from turnlog.items.json import Item

__all__ = ["AGENT", "with_usage"]

#: The agent under which the usage of summaries is recorded.
AGENT = "compaction"


def with_usage(summarise: Summariser, spending: Spending) -> Summariser:
    """`summarise`; what it has cost is added to `spending`, also if its summary is of no use."""

    async def counted(items: list[Item]) -> str | Sequence[Item] | Summarised:
        answer = await asked(summarise, items)
        if isinstance(answer, Summarised):
            spending.add(usage_in(answer.usage), AGENT, answer.model)
        return answer

    return counted
