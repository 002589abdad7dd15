"""Outcomes of compactions: what a summary covers, and the outcome of one behind a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from turnlog.items.json import Item

__all__ = ["Compacted", "CompactionResult"]


@dataclass(frozen=True)
class CompactionResult:
    """What a compaction covers.

    covers: the position of the last record that is covered.
    covered: how many records the summary stands for, those of an earlier summary included.
    turns: how many turns begin in them.
    added: how many of these records no earlier summary covers.
    items: what stands for them; empty for a dry run.
    model: what has written it, "" if that is not known.
    usage: what that has cost, as the summariser has told it.
    is_stored: whether it is in effect; False for a dry run.
    """

    covers: int
    covered: int
    turns: int
    added: int
    items: list[Item] = field(default_factory=list)
    model: str = ""
    usage: Item | None = None
    is_stored: bool = False


@dataclass(frozen=True)
class Compacted:
    """The outcome of a compaction behind a run.

    because: the bound that was met: "tokens", "max_items" or "max_turns".
    result: what a summary stands for now; None if nothing has changed.
    failure: the class of the error if it failed, such as "TimeoutError"; else "". Then `result`
        is None. Both are empty if others have changed what was to be covered.
    is_waiting: no summary was asked for, because the last one failed and what is shown has not
        changed by a tenth since.
    """

    because: str
    result: CompactionResult | None = None
    failure: str = ""
    is_waiting: bool = False
