"""Compaction by OpenAI: summaries that only its models can read."""

from __future__ import annotations

from typing import Any

from turnlog.agents.models.openai.answers import body_of, checked_item, items_in
from turnlog.agents.models.openai.client import AsyncOpenAI, asking, default_client
from turnlog.conversation.compaction.cost import paid
from turnlog.conversation.compaction.summariser import Summarised
from turnlog.conversation.usage.reported import usage_in
from turnlog.convert import responses_input
from turnlog.convert.shapes import Message
from turnlog.items.json import Item
from turnlog.sessions.compaction.output import sound_output

__all__ = ["OpenAICompaction"]


class OpenAICompaction:
    """A summariser that asks OpenAI's endpoint `responses/compact`.

    What it makes are the user's messages and an item that only OpenAI's models can read. Runs with
    other models, and `view()` without `reads_compaction`, are shown what it stands for instead.

    model: the name of the model, such as "gpt-4.1".
    openai_client: the `AsyncOpenAI` to use; its owner closes it. Without one, a client is made
        from OPENAI_API_KEY. Its own retries are left out, since a compaction has three tries.
    instructions: of the system, which are given to the model besides.
    """

    #: It can read what it has made before.
    reads_compaction = True

    def __init__(
        self,
        model: str,
        openai_client: AsyncOpenAI | None = None,
        *,
        instructions: str | None = None,
    ) -> None:
        self.model = model
        self._client = openai_client
        self._given = {} if instructions is None else {"instructions": instructions}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    async def __call__(self, items: list[Item]) -> Summarised:
        client = (self._client or await default_client()).with_options(max_retries=0)
        # Any, because what fits the API can't be typed by hand.
        params: Any = {"model": self.model, "input": responses_input(items), **self._given}
        with asking(client):
            answer = await client.responses.compact(**params)
        body = body_of(answer)
        usage = _usage_in(body)
        try:
            items = [_without_nulls(checked_item(item)) for item in items_in(body)]
            output = sound_output(items)
        except ValueError:
            paid(usage, self.model)
            raise
        return Summarised(output, self.model, usage)


def _usage_in(body: Message) -> Item | None:
    """What the answer says that it has cost; None if that can't be read."""
    usage = body.get("usage")
    try:
        usage_in(usage)
    except (TypeError, ValueError):
        return None
    return usage


def _without_nulls(item: Item) -> Item:
    """`item` as an input item: without the fields that say nothing."""
    return {name: value for name, value in item.items() if value is not None}
