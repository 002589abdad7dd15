"""State explorer: runs a scenario with every sequence of choices, each state once.

The search keeps no copies of states: it repeats a sequence of choices from the start, and goes on
from there with the first choice that was not tried. States are told apart by their fingerprint.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

__all__ = ["Choices", "Explored", "explore"]


class Stop(Exception):
    """The state was explored before."""


@dataclass
class Choices:
    """The choices of one execution: those given, and then the first of each."""

    given: tuple[int, ...]
    seen: set[Hashable]
    made: list[int] = field(default_factory=list)
    #: Sequences of choices that were not taken.
    others: list[tuple[int, ...]] = field(default_factory=list)

    def choose(self, count: int) -> int:
        """One of `count` alternatives."""
        at = len(self.made)
        if at < len(self.given):
            self.made.append(self.given[at])
        else:
            self.others += [(*self.made, other) for other in range(1, count)]
            self.made.append(0)
        return self.made[-1]

    def visit(self, state: Hashable) -> None:
        """Raise `Stop` if the execution has come to a state that is known."""
        if len(self.made) < len(self.given):
            return
        if state in self.seen:
            raise Stop
        self.seen.add(state)


class Execution(Protocol):
    def __call__(self, choices: Choices) -> None:
        """Run the scenario to its end. Raises `AssertionError` if a promise is broken."""


@dataclass
class Explored:
    """How large a search was."""

    states: int
    executions: int
    ends: int
    is_whole: bool


def explore(execution: Execution, most: int | None = None) -> Explored:
    """Run `execution` with every sequence of choices; at most `most` times.

    Raises `AssertionError` with the sequence of choices that broke a promise.
    """
    chance = Random(1)  # so that a search that stops early has been everywhere
    seen: set[Hashable] = set()
    waiting: list[tuple[int, ...]] = [()]
    executions = ends = 0
    while waiting and (most is None or executions < most):
        executions += 1
        pick = chance.randrange(len(waiting))
        waiting[pick], waiting[-1] = waiting[-1], waiting[pick]
        choices = Choices(waiting.pop(), seen)
        ends += _ended(execution, choices)
        waiting += choices.others
    return Explored(len(seen), executions, ends, not waiting)


def _ended(execution: Callable[[Choices], None], choices: Choices) -> bool:
    try:
        execution(choices)
    except Stop:
        return False
    except AssertionError as error:
        error.add_note(f"choices: {choices.made}")
        raise
    return True
