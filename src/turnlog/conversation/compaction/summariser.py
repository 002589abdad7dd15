"""Summarisers: what makes the items that stand for older ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from inspect import isawaitable
from typing import NamedTuple, TypeAlias

from turnlog.errors import InvalidItem
from turnlog.items.given import given
from turnlog.items.json import Item, decode, encode_all
from turnlog.items.repair import repair

__all__ = [
    "Answer",
    "CheckedSummary",
    "Summarised",
    "Summariser",
    "check_summariser",
    "checked_summary",
    "is_summary",
    "reads_sealed",
    "summary_by",
    "summary_item",
]

_INTRODUCTION = "Summary of the earlier part of this conversation, which is not shown:"


class Summarised(NamedTuple):
    """What a summariser has made, with the model that did it and what that has cost."""

    made: str | Sequence[Item]
    model: str = ""
    usage: Item | None = None


#: A text, or the items that stand for others; with or without what that has cost.
Answer: TypeAlias = str | Sequence[Item] | Summarised

#: Takes the items to stand for, as a model would be shown them: a summary of what came before is
#: among them.
Summariser: TypeAlias = Callable[[list[Item]], Awaitable[Answer]]


def summary_item(text: str) -> Item:
    """A summary as an item: a user's message, which every provider accepts, that says so."""
    return {"role": "user", "content": f"{_INTRODUCTION}\n\n{text}"}


def is_summary(item: Item) -> bool:
    """Whether `item` is one that `summary_item` has made."""
    content = item.get("content")
    return isinstance(content, str) and content.startswith(_INTRODUCTION)


def reads_sealed(summarise: object) -> bool:
    """Whether a summariser can read what its provider has sealed; it says so by an attribute."""
    return getattr(summarise, "reads_compaction", False) is True


class CheckedSummary(NamedTuple):
    """A summary as items that can be stored, and what has made it."""

    items: list[Item]
    model: str
    usage: Item | None


def check_summariser(summarise: object) -> None:
    """Raises `TypeError` if `summarise` can't be called."""
    if not callable(summarise):
        raise TypeError(
            f"summarise must be an async function of a list of items, not a "
            f"{type(summarise).__name__}; for a model, give summarised_by(model)"
        )


async def summary_by(summarise: Summariser, items: list[Item]) -> Answer:
    """What `summarise` returns. Raises `TypeError` if it is not async."""
    answer = summarise(items)
    if not isawaitable(answer):
        raise TypeError(
            f"the summariser must be async: it returned {given(answer)}, and nothing to await; "
            f"define it with `async def`"
        )
    return await answer


def checked_summary(answer: Answer) -> CheckedSummary:
    """What a summariser has returned, as items that every provider accepts.

    Raises `TypeError`, `InvalidItem` or `ValueError` if it is of no use.
    """
    summary = answer if isinstance(answer, Summarised) else Summarised(answer)
    items = repair(_items(summary.made))
    if not items:
        raise ValueError(
            "the summariser returned nothing that a model could be shown, so nothing was compacted"
        )
    return CheckedSummary(items, summary.model or "", summary.usage)


def _items(made: object) -> list[Item]:
    if isinstance(made, str):
        made = [summary_item(made)] if made.strip() else []
    if isinstance(made, Summarised) or not isinstance(made, Iterable):
        raise TypeError(
            f"the summariser returned {given(made)}; it must return a text, a list of "
            f"items, or a Summarised of one of these"
        )
    items = [decode(payload) for payload in encode_all(made)]
    for index, item in enumerate(items):
        if "type" not in item and "role" not in item:
            raise InvalidItem(f"items[{index}]", "an item of a summary needs a type or a role")
    return items
