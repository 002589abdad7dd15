"""Differences: where two branches part, and how they go on.

Behind the common beginning, the turns of both are laid side by side in their order, and the items
of two such turns are aligned by what they are: a message of a role, a call of a tool, its output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise, starmap, zip_longest
from typing import NamedTuple

from turnlog.conversation.opened import items_of
from turnlog.items.json import Item, equal
from turnlog.items.kinds import is_output, is_question, kind_of, name_of
from turnlog.items.turns import turn_starts
from turnlog.records import Log, Records
from turnlog.store import Store

__all__ = ["DiffRow", "Difference", "PlacedItem", "difference"]

# Two turns are aligned in quadratic time; if the product of their lengths is above this, their
# items are laid side by side in order.
_MOST_PAIRS = 4_000_000


class PlacedItem(NamedTuple):
    """An item and the position of its record."""

    position: int
    item: Item


class DiffRow(NamedTuple):
    """Items of two branches that stand for each other; None where a branch has none.

    same: whether both are equal.
    """

    ours: PlacedItem | None
    theirs: PlacedItem | None
    same: bool


@dataclass(frozen=True)
class Difference:
    """The difference of two branches: where they part, and what comes behind that.

    parted_at: our position of the last record that both begin with; 0 if there is none.
    common_turns: how many turns, from the first on, are equal in both from end to end.
    rows: what comes behind, aligned by kind and call. Records that can't be read are left out.
    """

    parted_at: int
    common_turns: int
    rows: list[DiffRow]


async def difference(store: Store, ours: Log, theirs: Log) -> Difference:
    """The difference of the branches `ours` and `theirs`."""
    one, other = await store.read(ours), await store.read(theirs)
    common = _common(one.payloads, other.payloads)
    shared = [item for item in items_of(ours, one[:common]) if item is not None]
    rest, others = _placed(ours, one[common:]), _placed(theirs, other[common:])
    return Difference(
        one.positions[common - 1] if common else 0,
        _common_turns(shared, rest, others),
        list(_rows(rest, others, _tools(shared))),
    )


def _common(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    """How many payloads both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _placed(log: Log, records: Records) -> list[PlacedItem]:
    items = zip(records.positions, items_of(log, records), strict=True)
    return [PlacedItem(at, item) for at, item in items if item is not None]


def _common_turns(common: list[Item], ours: list[PlacedItem], theirs: list[PlacedItem]) -> int:
    """How many turns lie in `common`; not the last one, if a branch goes on with it."""
    turns = len(turn_starts(common))
    goes_on = any(rest and not is_question(rest[0].item) for rest in (ours, theirs))
    return turns - 1 if turns and goes_on else turns


def _rows(
    ours: list[PlacedItem], theirs: list[PlacedItem], tools: dict[str | None, object]
) -> Iterator[DiffRow]:
    """The rows behind the common beginning, in which `tools` were called."""
    nothing: list[PlacedItem] = []
    for one, other in zip_longest(_turns(ours), _turns(theirs), fillvalue=nothing):
        yield from _aligned(one, other, tools)


def _turns(placed: list[PlacedItem]) -> list[list[PlacedItem]]:
    """The items of each turn. The first list is what comes before turn 1; it may be empty."""
    starts = turn_starts([each.item for each in placed])
    bounds = [0, *starts, len(placed)]
    return [placed[start:end] for start, end in pairwise(bounds)]


def _aligned(
    ours: list[PlacedItem], theirs: list[PlacedItem], tools: dict[str | None, object]
) -> Iterator[DiffRow]:
    """The items of two turns side by side."""
    if len(ours) * len(theirs) > _MOST_PAIRS:
        yield from starmap(_row, zip_longest(ours, theirs))
        return
    matcher = SequenceMatcher(None, _forms(ours, tools), _forms(theirs, tools), autojunk=False)
    for tag, start, end, first, last in matcher.get_opcodes():
        if tag == "equal":
            yield from map(_row, ours[start:end], theirs[first:last])
        else:
            yield from (DiffRow(each, None, same=False) for each in ours[start:end])
            yield from (DiffRow(None, each, same=False) for each in theirs[first:last])


def _row(ours: PlacedItem | None, theirs: PlacedItem | None) -> DiffRow:
    same = ours is not None and theirs is not None and equal([ours.item], [theirs.item])
    return DiffRow(ours, theirs, same=same)


def _forms(turn: list[PlacedItem], tools: dict[str | None, object]) -> list[tuple[object, ...]]:
    """What each item is, without its contents: equal for items that stand for each other."""
    items = [each.item for each in turn]
    tools = {**tools, **_tools(items)}
    return [_form(item, tools) for item in items]


def _tools(items: Sequence[Item]) -> dict[str | None, object]:
    """The name of the tool that each call is for, by the name that joins it with its output."""
    return {name_of(item): _tool(item) for item in items if not is_output(item)}


def _form(item: Item, tools: dict[str | None, object]) -> tuple[object, ...]:
    kind = kind_of(item)
    if is_output(item):
        return kind, tools.get(name_of(item))
    return kind, item.get("role") if kind == "message" else _tool(item)


def _tool(item: Item) -> object:
    """The name of the tool that a call is for; None if the call has none."""
    name = item.get("name")
    return name if isinstance(name, str) else None
