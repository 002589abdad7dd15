"""Summarisers: what makes the items that stand for older ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias

from turnlog.items.json import Item, decode, encode_all

__all__ = ["Said", "Summarised", "Summariser", "is_summary", "reads_sealed", "said", "summary_item"]

_INTRODUCTION = "Summary of the earlier part of this conversation, which is not shown:"


class Summarised(NamedTuple):
    """What a summariser has made, with the model that did it and what that has cost."""

    made: str | Sequence[Item]
    model: str = ""
    usage: Item | None = None


#: Takes the items to stand for, as a model would be shown them: a summary of what came before is
#: among them. Returns a text, or the items that stand for them.
Summariser: TypeAlias = Callable[[list[Item]], Awaitable[str | Sequence[Item] | Summarised]]


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


class Said(NamedTuple):
    """What a summariser has returned, as stored items."""

    items: list[Item]
    model: str
    usage: Item | None


def said(answer: str | Sequence[Item] | Summarised) -> Said:
    """What a summariser has returned. Raises `InvalidItem` or `ValueError` if it is of no use."""
    given = answer if isinstance(answer, Summarised) else Summarised(answer)
    made = given.made
    if isinstance(made, str):
        made = [summary_item(made)] if made.strip() else []
    items = [decode(payload) for payload in encode_all(made)]
    if not items:
        raise ValueError("the summariser returned nothing, so nothing was compacted")
    return Said(items, given.model, given.usage)
