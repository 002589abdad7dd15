"""Turns of known lengths."""

from random import Random

from tests.sample_items import answer, call, output, user
from turnlog.items.json import Item

__all__ = ["first", "turn", "turns"]


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
