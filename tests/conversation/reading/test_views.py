"""Views of random conversations through every window: valid, and equal on every store."""

import asyncio
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import pytest

from tests.providers.view_rules import accepted_everywhere
from tests.random_histories import history
from tests.sizes import HISTORIES
from turnlog import SessionSettings, Store, StoredSession
from turnlog.items.json import Item
from turnlog.items.repair import repair
from turnlog.items.tokens import TokenCounter, estimated_tokens
from turnlog.items.turns import turn_starts
from turnlog.stores.memory import MemoryStore


class Stored(NamedTuple):
    """A history in a store."""

    items: list[Item]
    session: StoredSession


async def stored(store: Store, seeds: range) -> list[Stored]:
    async def store_one(seed: int) -> Stored:
        session = StoredSession(f"s{seed}", store)
        await session.add_items(history(seed))
        return Stored(history(seed), session)

    return await asyncio.gather(*map(store_one, seeds))


def bounds(items: list[Item], count: TokenCounter) -> Iterator[SessionSettings]:
    """Every limit that shows something else than the one before it."""
    for limit in range(len(items) + 1):
        yield SessionSettings(limit=limit)
    for turns in range(len(turn_starts(items)) + 1):
        yield SessionSettings(max_turns=turns)
    total = 0
    for item in reversed(items):
        total += count(item)
        yield SessionSettings(max_tokens=total - 1, token_counter=count)
        yield SessionSettings(max_tokens=total, token_counter=count)


def fits(view: list[Item], items: int, settings: SessionSettings, count: TokenCounter) -> bool:
    """Whether a view of so many of the newest items is as small as the settings ask."""
    return (
        (settings.limit is None or items <= settings.limit)
        and (settings.max_turns is None or len(turn_starts(view)) <= settings.max_turns)
        and (settings.max_tokens is None or sum(map(count, view)) <= settings.max_tokens)
    )


@pytest.mark.proof
def test_every_window_on_every_history_is_valid() -> None:
    for seed in range(HISTORIES):
        items = history(seed)
        starts = [*turn_starts(items), len(items)]
        views = {start: repair(items[start:]) for start in starts}
        for view in [repair(items), *views.values()]:
            accepted_everywhere(view)
        costs = {id(item): estimated_tokens(item) for item in items}

        def count(item: Item, costs: dict[int, int] = costs) -> int:
            return costs.get(id(item)) or estimated_tokens(item)

        for settings in bounds(items, count):
            start = settings.window(count).start(items)
            assert start in starts
            assert fits(views[start], len(items) - start, settings, count)
            wider = starts[max(0, starts.index(start) - 1)]
            assert wider == start or not (
                fits(items[wider:], len(items) - wider, settings, count)
                and fits(views[wider], len(items) - wider, settings, count)
            ), "more is left out than must be"
        assert items == history(seed)


@pytest.mark.proof
@pytest.mark.anyio
@pytest.mark.stores("sqlite", "postgres", "redis")
async def test_the_views_of_all_stores_are_equal(any_store: Store) -> None:
    reference = MemoryStore()
    rng = Random(1)
    for first in range(0, HISTORIES, 100):
        ours = await stored(any_store, range(first, first + 100))
        theirs = await stored(reference, range(first, first + 100))
        for one, other in zip(ours, theirs, strict=True):
            settings = rng.choice(list(bounds(one.items, estimated_tokens)))
            expected = await other.session.view(settings=settings)
            assert await one.session.view(settings=settings) == expected
            assert not expected or expected[0]["role"] == "user"
            assert await one.session.get_items() == one.items
