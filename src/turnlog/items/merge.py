"""Merge of history and new input, and which items of the result belong to the new turn."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, TypeAlias

from turnlog.items.json import Item, TResponseInputItem, copied, decode, encode, encode_all
from turnlog.items.messages import checked

__all__ = ["Merged", "SessionInputCallback", "input_items", "merge"]

#: Takes copies of the history and of the new input; returns the items that the model is shown.
SessionInputCallback: TypeAlias = Callable[
    [list[TResponseInputItem], list[TResponseInputItem]],
    list[TResponseInputItem] | Awaitable[list[TResponseInputItem]],
]


class Merged(NamedTuple):
    """Items for a model, and those of them that are to be stored."""

    #: The items that the model is shown.
    shown: list[Item]
    #: Those of them that are new to the session, in order.
    fresh: list[Item]


def input_items(given: str | Iterable[object]) -> list[Item]:
    """The new input as items, checked and copied."""
    if isinstance(given, str):
        return [{"content": given, "role": "user"}]
    return [decode(payload) for payload in encode_all(checked(given))]


async def merge(
    history: list[Item],
    new: list[Item],
    repaired: Callable[[list[Item]], list[Item]],
    callback: SessionInputCallback | None,
) -> Merged:
    """The list that `callback` makes of `history` and `new`; without one, `new` follows `history`.

    repaired: makes of a history the one that a callback is given.
    """
    if callback is None:
        return Merged([*history, *new], new)
    old_lent, new_lent = _Lent(repaired(history)), _Lent(new)
    returned: object = callback(list(old_lent.copies), list(new_lent.copies))
    if inspect.isawaitable(returned):
        returned = await returned
    if not isinstance(returned, list):
        raise TypeError(
            f"session_input_callback returns a list of items, not {type(returned).__name__}"
        )
    shown = [decode(payload) for payload in encode_all(returned)]
    # By identity, so on the very objects that came back; they are plain items only in `shown`.
    places = _of_new_turn(returned, old_lent, new_lent)
    return Merged(shown, [shown[place] for place in places])


class _Lent:
    """Items that a callback is lent copies of."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        #: Kept alive here whatever the callback does, so that no other object gets their ids.
        self.copies = copied(items)
        self.ids = set(map(id, self.copies))

    def missing(self, returned: list[object]) -> Counter[str]:
        """The contents of those whose copies did not come back, as they were when lent."""
        back = set(map(id, returned))
        pairs = zip(self.items, self.copies, strict=True)
        return Counter(_content(item) for item, copied in pairs if id(copied) not in back)


def _of_new_turn(returned: list[object], old: _Lent, new: _Lent) -> list[int]:
    """The indices in `returned` of the items of the new turn, each object counted once.

    They are known by identity. Content is not enough: people say "yes" twice. It decides only
    for items that the callback made itself, which may be copies of lent ones that are missing.
    """
    places = {id(item): place for place, item in enumerate(returned) if id(item) in new.ids}
    known = old.ids | new.ids
    made = [place for place, item in enumerate(returned) if id(item) not in known]
    return sorted([*places.values(), *_new_among(made, returned, old, new)])


def _new_among(made: list[int], returned: list[object], old: _Lent, new: _Lent) -> list[int]:
    """Which of the indices `made` hold new input, or an item that only the callback has."""
    if not made:
        return []
    old_missing, new_missing = old.missing(returned), new.missing(returned)
    own = []
    # From the end, where new input usually is: of two equal items, the later is the new one.
    for place in reversed(made):
        content = _content(returned[place])
        if new_missing[content]:
            new_missing[content] -= 1
        elif old_missing[content]:
            old_missing[content] -= 1
            continue
        own.append(place)
    return own


def _content(item: object) -> str:
    plain = decode(encode(item))
    try:
        return json.dumps(plain, sort_keys=True)
    except RecursionError:  # in such an item, the order of keys counts
        return encode(plain).decode()
