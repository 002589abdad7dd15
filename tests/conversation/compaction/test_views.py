"""Every compacted view of random histories is one that all providers accept."""

from collections.abc import Callable
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


def pairs(items: list[Item]) -> list[tuple[int, int]]:
    """The indexes of each call or request for approval, and of what answers it: if there is one."""
    asked: dict[str, list[int]] = {}
    for at, item in enumerate(items):
        kind = str(item.get("type"))
        name = item["id"] if kind == "mcp_approval_request" else item.get("approval_request_id")
        name = name or item.get("call_id")
        if kind == "local_shell_call_output":
            name = item["id"]
        if name is not None:
            asked.setdefault(name, []).append(at)
    twos = (places for places in asked.values() if len(places) == 2)
    return [(one, two) for one, two in twos if is_answer(items[two]) > is_answer(items[one])]


def is_answer(item: Item) -> bool:
    return str(item["type"]).endswith(("_output", "_response"))


def is_across_turns(items: list[Item]) -> Callable[[tuple[int, int]], bool]:
    return lambda pair: any(item.get("role") == "user" for item in items[slice(*pair)])


@pytest.mark.proof
async def test_compacted_views_are_accepted() -> None:
    rng = Random(14)
    store = MemoryStore()
    compacted = crossed = 0
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
        crossed += any(map(is_across_turns(items), pairs(items)))
        if done is not None:
            at = done.covered
            assert at == len(items) or items[at]["role"] == "user"
            assert not any(first < at <= last for first, last in pairs(items)), seed
        assert await session.drop_summary() == (done is not None)
        assert await session.view() == before
    assert compacted > HISTORIES / 2
    assert crossed > HISTORIES / 100, "there is something to divide"


async def test_a_class_with_other_items_is_not_compacted() -> None:
    class Fewer(StoredSession):
        async def get_items(self, limit: int | None = None) -> list[Item]:
            return (await super().get_items(limit))[1:]

    with pytest.raises(TypeError, match="overrides get_items"):
        await Fewer("s", MemoryStore()).compact(texts)
