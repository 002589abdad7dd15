"""Matching: which of the newest stored items a model has seen, and whether they can be replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from turnlog.items.json import Item
from turnlog.items.kinds import CALL_OF, kind_of
from turnlog.items.pairing import pairs_in
from turnlog.sessions.compaction.digests import digest_of

__all__ = ["Exchange", "Part", "is_candidate", "is_closed", "is_user_message", "seen_of"]

#: Calls that Turnlog does not run itself, and the type of their output.
_OTHER_CALLS = {"program": "program_output", "tool_search_call": "tool_search_output"}


class Exchange(NamedTuple):
    """What the model was last shown and has answered.

    digests: of its items, oldest first.
    policy: "omit" if reasoning was shown without its id.
    """

    digests: Sequence[str] = ()
    policy: str | None = None


class Part(NamedTuple):
    """The last ones of a list of items, from index `start` on, as they were sent to the model."""

    start: int
    items: list[Item]


def seen_of(stored: Sequence[Item], exchange: Exchange, *, ignore_ids: bool) -> Part:
    """The newest of the `stored` items that the model has seen, all of them and in their order.

    It may have seen others between them.
    """
    rest = iter(reversed(exchange.digests))
    found: list[Item] = []
    for item in reversed(stored):
        forms = {digest_of(each, ignore_ids=ignore_ids): each for each in _forms(item, exchange)}
        form = next((digest for digest in rest if digest in forms), None)
        if form is None:
            break
        found.append(forms[form])
    return Part(len(stored) - len(found), found[::-1])


def _forms(item: Item, exchange: Exchange) -> list[Item]:
    """The forms in which the model may have seen `item`; the stored one comes last and counts."""
    if exchange.policy != "omit" or item.get("type") != "reasoning":
        return [item]
    return [{name: value for name, value in item.items() if name != "id"}, item]


def is_user_message(item: Item) -> bool:
    """Whether `item` is a message of the user."""
    return item.get("role") == "user" and (item.get("type") == "message" or "content" in item)


def is_candidate(item: Item) -> bool:
    """Whether `item` is one that a compaction makes shorter."""
    return not is_user_message(item) and item.get("type") != "compaction"


def is_closed(items: Sequence[Item]) -> bool:
    """Whether each call among `items` has its output there, and each output its call."""
    pairs = pairs_in([*items])
    outputs = sum(kind_of(item) in CALL_OF for item in items)
    answered = sum(output is not None for output in pairs.outputs.values())
    is_paired = not pairs.repeated and answered == len(pairs.outputs) == outputs
    return is_paired and all(
        _ids(items, call) == _ids(items, output) for call, output in _OTHER_CALLS.items()
    )


def _ids(items: Sequence[Item], kind: str) -> set[object]:
    return {
        str(item["call_id"]) for item in items if item.get("type") == kind and "call_id" in item
    }
