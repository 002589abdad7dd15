"""Transcripts: the items that a run has brought about, and what of them a model is shown."""

from __future__ import annotations

import inspect

from turnlog.agents.context import RunContextWrapper
from turnlog.agents.handoffs import HandoffInputData, HandoffInputFilter
from turnlog.agents.result import MessageOutputItem, RunItem
from turnlog.items.json import Item
from turnlog.items.merge import input_items
from turnlog.items.repair import repair

__all__ = ["Transcript"]


class Transcript:
    """The items of one run. Filters of handoffs change what is shown, and nothing else."""

    def __init__(self) -> None:
        #: Everything that the run has brought about, in order.
        self.items: list[RunItem] = []
        self._history: list[Item] = []
        self._since: list[RunItem] = []
        self._earlier = 0  # how many of these are from before the newest response

    def begin(self, history: list[Item]) -> None:
        """The run begins with `history`, new input included, in a form that providers accept."""
        self._history = history

    def begin_response(self) -> None:
        """The items that are added from now on belong to a new response of the model."""
        self._earlier = len(self._since)

    def add(self, item: RunItem) -> None:
        """Put `item` at the end."""
        self.items.append(item)
        self._since.append(item)

    @property
    def shown(self) -> list[Item]:
        """The items to show to a model, in a form that providers accept."""
        if not self._since:
            return [*self._history]
        return repair([*self._history, *(item.raw_item for item in self._since)])

    @property
    def answer(self) -> str:
        """The text of the newest response's last message; "" if it has none."""
        response = self._since[self._earlier :]
        texts = [item.text for item in response if isinstance(item, MessageOutputItem)]
        return texts[-1] if texts else ""

    async def filter(self, change: HandoffInputFilter, context: RunContextWrapper) -> None:
        """Show from now on what `change`, the filter of a handoff, returns."""
        earlier, response = self._since[: self._earlier], self._since[self._earlier :]
        data = HandoffInputData(tuple(self._history), tuple(earlier), tuple(response), context)
        shown: object = change(data)
        shown = await shown if inspect.isawaitable(shown) else shown
        if not isinstance(shown, HandoffInputData):
            raise TypeError(
                f"an input_filter returns HandoffInputData, as data.clone(…) does, "
                f"not {type(shown).__name__}"
            )
        new = shown.new_items if shown.input_items is None else shown.input_items
        self._history = repair(input_items(shown.input_history))
        self._since = [*shown.pre_handoff_items, *new]
