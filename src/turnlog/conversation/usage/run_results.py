"""Run results: what the result of a run says of its cost, ours or the OpenAI Agents SDK's."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any

from turnlog.conversation.usage.reported import usage_in
from turnlog.conversation.usage.spending import Spending

__all__ = ["cost_of"]

# How many usage objects without weak references are remembered.
_MOST_KEPT = 256


def cost_of(result: object) -> Spending:
    """The usage of the run of `result`.

    result: a result of our Runner, or one with `context_wrapper.usage`, as the SDK's Runner
        returns it. The same usage object gives the same run again, in this process.

    Raises `TypeError` for anything else.
    """
    spending = getattr(result, "spending", None)
    if isinstance(spending, Spending):
        return spending
    usage = getattr(getattr(result, "context_wrapper", None), "usage", None)
    if usage is None:
        raise TypeError(
            f"store_run_usage takes the result of a run: of turnlog.Runner, or of the OpenAI "
            f"Agents SDK's Runner (an object with context_wrapper.usage); "
            f"not {type(result).__name__}"
        )
    known = _known(usage)
    known.replace(usage_in(usage), *_names(result))
    return known


def _names(result: object) -> tuple[str, str]:
    """The names of the agent and of its model, as far as the result tells them."""
    agent = getattr(result, "last_agent", None)
    model = getattr(agent, "model", None)
    return _text(getattr(agent, "name", None)), _text(getattr(model, "model", model))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


class _Runs:
    """The spending of each usage object that was met, as long as that object lives.

    By identity: such objects can be equal, and have no hash.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], Spending]] = {}
        # Objects without weak references are kept alive here: the newest of them.
        self._kept: OrderedDict[int, tuple[object, Spending]] = OrderedDict()

    def __call__(self, usage: object) -> Spending:
        try:
            return self._of_living(usage)
        except TypeError:
            return self._of_kept(usage)

    def _of_living(self, usage: object) -> Spending:
        number = id(usage)
        known = self._known.get(number)
        if known is not None and known[0]() is usage:
            return known[1]
        gone = weakref.ref(usage, lambda _gone: self._known.pop(number, None))
        self._known[number] = gone, Spending()
        return self._known[number][1]

    def _of_kept(self, usage: object) -> Spending:
        _, spending = self._kept.setdefault(id(usage), (usage, Spending()))
        self._kept.move_to_end(id(usage))
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return spending


_known = _Runs()
