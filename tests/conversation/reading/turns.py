"""Turns of known lengths, and a layer that counts how much of them is read."""

from random import Random
from typing import Any

from tests.sample_items import answer, call, output, user
from turnlog import Store
from turnlog.items.json import Item
from turnlog.records import Log, Records
from turnlog.store import Layer

__all__ = ["Counting", "first", "turn", "turns"]


class Counting(Layer):
    """Counts the records that are read."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.records = 0

    async def read(self, log: Log, **bounds: Any) -> Records:
        found = await super().read(log, **bounds)
        self.records += len(found)
        return found


def turn(number: int, calls: int = 0) -> list[Item]:
    """A question, some calls, an answer."""
    numbers = range(100 * number, 100 * number + calls)
    called = [item for each in numbers for item in (call("look", each), output("seen", each))]
    return [user(f"q{number}"), *called, answer(f"a{number}")]


def turns(count: int) -> list[Item]:
    """Turns of different lengths."""
    rng = Random(count)
    return [item for number in range(count) for item in turn(number, rng.randint(0, 3))]


def first(view: list[Item]) -> int:
    """The number of the turn that a view begins with."""
    return int(view[0]["content"][1:])
