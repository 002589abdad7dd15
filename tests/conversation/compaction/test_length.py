"""A summary that is not shorter than what it stands for is refused."""

import pytest

from tests.sample_items import answer, user
from turnlog import Item, ModelBehaviorError, StoredSession
from turnlog.conversation.compaction.length import check_shorter
from turnlog.items.tokens import estimated_tokens
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

SEALED: Item = {"type": "compaction", "encrypted_content": "sealed " * 400}


def of_tokens(count: int) -> list[Item]:
    item = user("abcd" * (count - 4))
    assert estimated_tokens(item) == count
    return [item]


@pytest.mark.parametrize(
    ("made", "covered", "is_refused"),
    [(1_000, 1_000, True), (1_001, 1_000, True), (999, 1_000, False), (200, 10, False)],
)
def test_tokens_are_compared(made: int, covered: int, is_refused: bool) -> None:
    if not is_refused:
        check_shorter(of_tokens(made), of_tokens(covered), estimated_tokens)
        return
    with pytest.raises(ModelBehaviorError, match=f"{made} tokens, and what it .* has {covered},"):
        check_shorter(of_tokens(made), of_tokens(covered), estimated_tokens)


def test_what_is_sealed_can_not_be_counted() -> None:
    check_shorter([SEALED], of_tokens(10), estimated_tokens)


async def test_nothing_has_changed_then() -> None:
    session = StoredSession("s", MemoryStore())
    for n in range(4):
        await session.add_items([user(f"q{n}"), answer(f"a{n}")])

    async def verbose(items: list[Item]) -> str:
        return "word " * 300

    with pytest.raises(ModelBehaviorError, match="have the summariser write less, or cover more"):
        await session.compact(verbose)
    assert await session.get_items() == await session.history()
    assert not await session.drop_summary()


async def test_the_counter_of_the_session_counts() -> None:
    session = StoredSession("s", MemoryStore(), session_settings={"token_counter": lambda _: 300})
    for n in range(4):
        await session.add_items([user(f"q{n}"), answer(f"a{n}")])

    async def two(_: list[Item]) -> list[Item]:
        return [user("one"), answer("two")]

    assert await session.compact(two) is not None, "of four items, two are made"
    await session.drop_summary()
    with pytest.raises(ModelBehaviorError, match="600 tokens"):
        await session.compact(two, keep=3)
