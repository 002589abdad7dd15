"""Corrupt rows in a file of the OpenAI Agents SDK."""

from pathlib import Path
from typing import Any

import pytest

from tests.sdk.files import MORE, ours, rows, theirs, write

pytestmark = pytest.mark.anyio

BROKEN = {
    "empty": "''",
    "truncated": """'{"role": "user", "cont'""",
    "no JSON": "'hello'",
    "two objects": "'{}{}'",
    "a list": "'[1]'",
    "a string": "'\"text\"'",
    "a number": "'42'",
    "null": "'null'",
    "an SQL number": "42",
    "bytes": "x'fffe00'",
    "bytes in text": "CAST(x'7b2261223a22ff227d' AS TEXT)",
    "an object in bad UTF-8": "x'7b2261223a22ff227d'",
    "too deep": "replace(hex(zeroblob(5000)), '00', '[')",
}


def corrupt(path: Path, where: str, broken: str) -> None:
    write(path, f"UPDATE agent_messages SET message_data = {broken} WHERE {where}")


@pytest.fixture
async def nine(path: Path) -> list[Any]:
    """Nine good items, in rows 1 to 9."""
    items = [{"n": n} for n in range(1, 10)]
    async with theirs(path) as session:
        await session.add_items(items)
    return items


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_a_corrupt_row_in_the_middle(broken: str, path: Path, nine: list[Any]) -> None:
    corrupt(path, "id = 5", broken)
    good = nine[:4] + nine[5:]
    async with ours(path) as session:
        assert await session.get_items() == good
        for limit in range(11):
            assert await session.get_items(limit) == good[max(0, 8 - limit) :]
        assert await session.pop_item() == nine[-1]
        assert rows(path) == 8
        assert [await session.pop_item() for _ in range(4)] == [*nine[5:8][::-1], nine[3]]
        assert rows(path) == 3


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_corrupt_rows_at_the_end(broken: str, path: Path, nine: list[Any]) -> None:
    corrupt(path, "id > 6", broken)
    async with ours(path) as session:
        assert await session.get_items() == nine[:6]
        for limit in range(8):
            assert await session.get_items(limit) == nine[max(0, 6 - limit) : 6]
        assert rows(path) == 9
        await session.add_items(MORE)
        assert await session.get_items(3) == [nine[5], *MORE]
        assert [await session.pop_item() for _ in range(2)] == MORE[::-1]
        assert await session.pop_item() == nine[5]
        assert rows(path) == 5


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_nothing_but_corrupt_rows(broken: str, path: Path, nine: list[Any]) -> None:
    corrupt(path, "1", broken)
    async with ours(path) as session:
        assert await session.get_items() == []
        assert await session.get_items(3) == []
        assert rows(path) == len(nine)
        assert await session.pop_item() is None
        assert rows(path) == 0
        await session.add_items(MORE)
        assert await session.get_items() == MORE
