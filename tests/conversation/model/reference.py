"""The reference: what a conversation holds, as plain lists, in the simplest way that is right."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from turnlog.conversation.compaction.summariser import summary_item

__all__ = ["Conversation", "Entry", "Line"]

Item = dict[str, Any]

_numbers = count(1)


class Entry(NamedTuple):
    """One stored item. A copy on another branch keeps the number of what it is a copy of."""

    number: int
    item: Item

    @property
    def is_question(self) -> bool:
        """Whether it begins a turn."""
        return self.item.get("role") == "user"


@dataclass
class Line:
    """One branch.

    usage: the tokens that each run has spent, and the number of the entry that begins its turn;
        0 stands for what comes before the first question.
    summaries: the number of the last entry that each covers, the oldest first.
    """

    parent: str | None = None
    entries: list[Entry] = field(default_factory=list)
    usage: dict[str, tuple[int, int]] = field(default_factory=dict)
    summaries: list[int] = field(default_factory=list)

    @property
    def starts(self) -> list[int]:
        """The index at which each turn begins."""
        return [at for at, entry in enumerate(self.entries) if entry.is_question]

    @property
    def covered(self) -> int:
        """How many entries the newest summary covers of which nothing was removed."""
        numbers = [entry.number for entry in self.entries]
        return next((numbers.index(s) + 1 for s in reversed(self.summaries) if s in numbers), 0)

    @property
    def view(self) -> list[Item]:
        """The summary, and the items behind it."""
        items = [entry.item for entry in self.entries]
        texts = [item["content"] for item in items[: self.covered]]
        summary = [summary_item(" / ".join(texts))] if texts else []
        return [*summary, *items[self.covered :]]

    def compact(self, keep: int) -> int | None:
        """Cover all but the newest `keep` turns; how many entries are covered then."""
        rest = self.entries[self.covered :]
        starts = [at for at, entry in enumerate(rest) if entry.is_question]
        told = [entry for entry in rest if entry.item["role"] != "system"]
        ends = [len(rest), *(starts[len(starts) - keep :][:1] if keep else [])]
        if starts and told[-1].item["role"] != "assistant":
            ends.append(starts[-1])
        if keep > len(starts) or min(ends) == 0:
            return None
        self.summaries.append(rest[min(ends) - 1].number)
        return self.covered

    def drop(self) -> bool:
        """Drop the newest summary that counts, and what was made behind it."""
        numbers = {entry.number for entry in self.entries}
        while self.summaries and self.covered:
            if self.summaries.pop() in numbers:
                return True
        return False

    def start(self, turn: int) -> int:
        """The index at which `turn` begins. Raises `ValueError` if there is no such turn."""
        starts = self.starts
        if not 1 <= turn <= len(starts):
            raise ValueError(turn)
        return starts[turn - 1]

    def turns(self) -> list[tuple[int, str, int, int]]:
        """Number, text, number of items and tokens of each turn."""
        starts = self.starts
        ends = [*starts[1:], len(self.entries)]
        by_turn = self.tokens_by_turn()
        return [
            (n, self.entries[start].item["content"], end - start, by_turn.get(n, 0))
            for n, (start, end) in enumerate(zip(starts, ends, strict=False), 1)
        ]

    def tokens_by_turn(self) -> dict[int | None, int]:
        """The tokens of each turn; None: of turns that are gone, 0: before the first question."""
        numbers = {self.entries[at].number: n for n, at in enumerate(self.starts, 1)}
        spent: dict[int | None, int] = {}
        for anchor, tokens in self.usage.values():
            turn = numbers.get(anchor) if anchor else 0
            spent[turn] = spent.get(turn, 0) + tokens
        return spent

    def copied(self, name: str, size: int) -> Line:
        """A fork that begins with the first `size` entries of this branch, named `name`."""
        entries = self.entries[:size]
        asked = {entry.number for entry in entries if entry.is_question} | (
            {0} if entries else set()
        )
        usage = {run: spent for run, spent in self.usage.items() if spent[0] in asked}
        numbers = {entry.number for entry in entries}
        return Line(name, entries, usage, [each for each in self.summaries if each in numbers])


class Conversation:
    """All branches of one conversation, and the names that were ever used."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {"main": Line()}
        self.used = {"main"}

    def add(self, name: str, items: list[Item]) -> None:
        """Put items at the end of a branch."""
        self._there(name).entries += [Entry(next(_numbers), item) for item in items]

    def pop(self, name: str) -> Item | None:
        """Remove the newest item of a branch."""
        entries = self.lines.get(name, Line()).entries  # of a deleted branch, there are none
        return entries.pop().item if entries else None

    def clear(self, name: str) -> None:
        """Empty a branch; on "main", all branches go."""
        if name == "main":
            self.lines = {"main": Line()}
        else:
            self._there(name)
            self.lines[name] = Line(self.lines[name].parent)

    def fork(self, name: str, new: str, size: int) -> None:
        """Make the branch `new` of the first `size` entries of branch `name`."""
        line = self._there(name)
        if new in self.used:
            raise ValueError(new)
        self.lines[new] = line.copied(name, size)
        self.used.add(new)

    def delete(self, name: str) -> None:
        """Delete a branch, which is not "main"."""
        if name == "main":
            raise ValueError(name)
        del self.lines[self._existing(name)]

    def rewind(self, name: str, size: int, keep_as: str | None) -> int:
        """Keep the first `size` entries of a branch; returns how many went."""
        line = self._there(name)
        if keep_as is not None:
            self.fork(name, keep_as, len(line.entries))
        gone = len(line.entries) - size
        del line.entries[size:]
        return gone

    def edit(self, name: str, new: str, at: int, item: Item) -> None:
        """Fork up to before entry `at`, and add `item`."""
        self.fork(name, new, at)
        self.add(new, [item])

    def spend(self, name: str, run: str, tokens: int) -> None:
        """Record what a run has spent, at the newest turn of a branch."""
        line = self._there(name)
        asked = [entry.number for entry in line.entries if entry.is_question]
        line.usage[run] = (asked[-1] if asked else 0, tokens)

    def tokens(self, name: str) -> int:
        """What all runs on a branch have spent."""
        return sum(tokens for _, tokens in self.lines[name].usage.values())

    def tokens_of_all(self) -> int:
        """What all runs have spent, those of copied turns counted once."""
        runs: dict[str, int] = {}
        for line in self.lines.values():
            runs |= {run: tokens for run, (_, tokens) in line.usage.items()}
        return sum(runs.values())

    def _there(self, name: str) -> Line:
        """A branch that can be written to. Raises `ValueError` for one that was deleted."""
        return self.lines[self._existing(name)]

    def _existing(self, name: str) -> str:
        if name not in self.lines:
            raise ValueError(name)
        return name
