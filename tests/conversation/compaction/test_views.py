"""Every compacted view of random histories is one that all providers accept."""

from random import Random

import pytest

from tests.providers.view_rules import accepted_everywhere
from tests.random_histories import history
from tests.sizes import HISTORIES
from turnlog import Item, StoredSession
from turnlog.stores.memory import MemoryStore
from turnlog.testing.five_turns import texts

pytestmark = pytest.mark.anyio


async def counted(items: list[Item]) -> str:
    """A summariser that refuses what no provider would accept."""
    accepted_everywhere(items)
    return f"{len(items)} items"


@pytest.mark.proof
async def test_compacted_views_are_accepted() -> None:
    rng = Random(14)
    store = MemoryStore()
    compacted = 0
    for seed in range(HISTORIES):
        session = StoredSession(f"s{seed}", store)
        items = history(seed)
        await session.add_items(items)
        before = await session.view()
        done = await session.compact(counted, keep=rng.randint(0, 3))
        view = await session.view()
        accepted_everywhere(view)
        bounded = await session.view(settings={"max_turns": rng.randint(1, 4)})
        accepted_everywhere(bounded)
        assert [each.item for each in (await session.explain()).shown] == view
        assert await session.history() == items
        compacted += done is not None
        assert await session.drop_summary() == (done is not None)
        assert await session.view() == before
    assert compacted > HISTORIES / 2


async def test_a_class_with_other_items_is_not_compacted() -> None:
    class Fewer(StoredSession):
        async def get_items(self, limit: int | None = None) -> list[Item]:
            return (await super().get_items(limit))[1:]

    with pytest.raises(TypeError, match="overrides get_items"):
        await Fewer("s", MemoryStore()).compact(texts)
