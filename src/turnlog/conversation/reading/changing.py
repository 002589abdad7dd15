"""Changes of a view: old outputs become markers, and a provider's compaction items are heeded.

A provider may sum up what came before in an item of its own, of type `compaction`. Only that
provider can read it. For a model that can, the view begins at the newest one. For others it is left
out, and what comes before it is shown, since the log still has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from turnlog.items.json import Item
from turnlog.items.kinds import is_provider_summary, provider_summaries
from turnlog.items.shortening import Shorten, shortened
from turnlog.items.turns import turn_starts

__all__ = ["BEFORE", "Changed", "Changing", "CompactionItems", "Parts"]

#: What is done with a provider's compaction items: the view begins at the newest, or leaves them
#: out, or keeps all items as they are stored.
CompactionItems: TypeAlias = Literal["begin", "leave out", "keep"]

_SEALED = "The provider's summary of what came before, which only that provider can read."
BEFORE = "The provider has summed it up in a later item, with which the view begins."
_NO_ROOM = "The window has no room for the provider's summary and a turn."


@dataclass(frozen=True)
class Changed:
    """Items as they are shown.

    lead: the provider's summary with which the view begins, up to the next question.
    past: what comes behind it.
    places: for each of `past`, its index among the items as they are stored; `lead` comes right
        before the first.
    why: for each index whose item has another form, a sentence.
    out: for each index whose item is left out, a sentence.
    begins: whether the view begins at the provider's summary.
    turns_left_out: how many turns come before that.
    """

    lead: list[Item]
    past: list[Item]
    places: Sequence[int]
    why: Mapping[int, str]
    out: Mapping[int, str]
    lead_places: tuple[int, ...] = ()
    begins: bool = False
    turns_left_out: int = 0

    def without_lead(self) -> Changed:
        """The same without the provider's summary."""
        out = {**self.out, **dict.fromkeys(self.lead_places, _NO_ROOM)}
        return replace(self, lead=[], lead_places=(), out=out)


class Parts(NamedTuple):
    """The parts of a view: the summary, and the items behind it.

    start: the index in `changed.past` at which the window begins.
    """

    front: list[Item]
    changed: Changed
    start: int

    @property
    def past(self) -> list[Item]:
        """The items behind the summary."""
        return [*self.changed.lead, *self.changed.past[self.start :]]

    @property
    def places(self) -> list[int]:
        """For each of `past`, its index among the items as they are stored."""
        return [*self.changed.lead_places, *self.changed.places[self.start :]]


class Changing(NamedTuple):
    """Rules by which items are changed for a model."""

    shorten: Shorten | None = None
    compaction: CompactionItems = "keep"

    def readable(self, items: Sequence[Item]) -> Sequence[Item]:
        """`items` without what a model can't read."""
        if self.compaction != "leave out" or not any(map(is_provider_summary, items)):
            return items
        return [item for item in items if not is_provider_summary(item)]

    def changed(
        self, items: list[Item], positions: Sequence[int] | None = None, turns_before: int = 0
    ) -> Changed:
        """`items` as they are shown.

        positions: of their records; without these, nothing is shortened.
        turns_before: how many turns come before them.
        """
        why: Mapping[int, str] = {}
        if self.shorten is not None and positions is not None:
            items, why = shortened(items, positions, self.shorten, turns_before)
        sealed = provider_summaries(items)
        if not sealed or self.compaction == "keep":
            return Changed([], items, range(len(items)), why, {})
        if self.compaction == "begin":
            return _begun(items, sealed[-1], why)
        left = dict.fromkeys(sealed, _SEALED)
        places = [place for place in range(len(items)) if place not in left]
        return Changed([], [items[place] for place in places], places, why, left)


def _begun(items: list[Item], begin: int, why: Mapping[int, str]) -> Changed:
    """`items` from the provider's summary at index `begin` on."""
    starts = turn_starts(items)
    end = next((start for start in starts if start > begin), len(items))
    return Changed(
        items[begin:end],
        items[end:],
        range(end, len(items)),
        why,
        dict.fromkeys(range(begin), BEFORE),
        tuple(range(begin, end)),
        begins=True,
        turns_left_out=sum(start < begin for start in starts),
    )
