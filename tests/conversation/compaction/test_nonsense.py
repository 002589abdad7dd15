"""Summarisers that return nonsense: nothing is stored, and the error says what is wrong."""

from typing import Any

import pytest

from tests.conversation.compaction.listing_summariser import numbered_turn
from tests.providers.view_rules import accepted_everywhere
from tests.sample_items import call, output, user
from turnlog import InvalidItem, Item, StoredSession, Summarised
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

REASONING: Item = {"type": "reasoning", "id": "rs_1", "summary": []}


async def conversation() -> StoredSession:
    session = StoredSession("s", MemoryStore())
    for first in range(0, 16, 4):
        await session.add_items(numbered_turn(first, calls=True))
    return session


@pytest.mark.parametrize(
    ("made", "error", "told"),
    [
        (None, TypeError, "returned None; it must return a text"),
        (5, TypeError, "returned an int"),
        (Summarised(Summarised("text")), TypeError, "returned a Summarised"),  # type: ignore[arg-type]
        ({"role": "user", "content": "one"}, InvalidItem, "a list of items is needed"),
        (["one", "two"], InvalidItem, "an item is a JSON object"),
        ([{}], InvalidItem, "an item of a summary needs a type or a role"),
        (" \n", ValueError, "returned nothing"),
        ([], ValueError, "returned nothing"),
        ([output()], ValueError, "returned nothing that a model could be shown"),
        ([REASONING], ValueError, "returned nothing that a model could be shown"),
    ],
)
async def test_what_is_of_no_use_is_not_stored(made: Any, error: Any, told: str) -> None:
    async def summarise(_: list[Item]) -> Any:
        return made

    session = await conversation()
    with pytest.raises(error, match=told):
        await session.compact(summarise)
    assert await session.get_items() == await session.history()
    assert not await session.drop_summary()


@pytest.mark.parametrize(
    "made",
    [
        [call()],
        [user("so far"), output()],
        [user("so far"), call(), output(), call(), output()],
        [user("so far"), REASONING],
        [{"role": "user", "content": None}],
    ],
)
async def test_items_that_providers_refuse_are_repaired(made: list[Item]) -> None:
    async def summarise(_: list[Item]) -> list[Item]:
        return made

    session = await conversation()
    await session.compact(summarise)
    accepted_everywhere(await session.get_items())  # so the SDK's Runner gets them
    accepted_everywhere(await session.view())


async def test_one_that_is_not_async_is_refused() -> None:
    session = await conversation()
    with pytest.raises(TypeError, match="must be async: it returned a str"):
        await session.compact(lambda _: "text")  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="must be an async function of a list of items, not a str"):
        await session.compact("text")  # type: ignore[arg-type]
    assert not await session.drop_summary()
