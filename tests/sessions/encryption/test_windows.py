"""Reading within a budget: `max_scan_items`."""

from typing import Any

import pytest

from tests.strangers import PLAIN, TALK, Stranger, sealed
from turnlog import Item
from turnlog.layers.encryption.sdk_format import WrongEnvelopeKey

pytestmark = pytest.mark.anyio


class Counting(Stranger):
    reads: list[tuple[tuple[object, ...], dict[str, object]]]

    def __init__(self, items: list[Item]) -> None:
        super().__init__("a", {"a": items})
        self.reads = []

    async def get_items(self, *args: Any, **more: Any) -> list[Item]:
        self.reads.append((args, more))
        return await super().get_items(*args, **more)


async def test_windows_double_and_count_again() -> None:
    stranger = Counting([PLAIN] * 20)
    with pytest.raises(RuntimeError, match="max_scan_items exhausted"):
        await sealed(stranger, max_scan_items=13).get_items(2)
    assert stranger.reads == [((2,), {}), ((4,), {}), ((7,), {})]


async def test_a_full_last_window_is_exhausted_and_a_short_one_complete() -> None:
    stranger = Counting([])
    session = sealed(stranger, max_scan_items=4)
    await session.add_items(TALK[:3])
    assert await session.get_items() == TALK[:3]
    await session.add_items(TALK[3:])
    with pytest.raises(RuntimeError, match="max_scan_items exhausted"):
        await session.get_items()
    assert await session.get_items(4) == TALK
    assert await session.get_items(0) == []


async def test_negative_limits_with_a_budget() -> None:
    stranger = Counting([])
    with pytest.raises(ValueError, match=r"limit must be non-negative .* max_scan_items"):
        await sealed(stranger, max_scan_items=1).get_items(-1)
    assert stranger.reads == []


async def test_a_wrong_key_with_a_budget_is_a_wrong_key() -> None:
    stranger = Counting([])
    await sealed(stranger).add_items(TALK)
    with pytest.raises(WrongEnvelopeKey):
        await sealed(stranger, "wrong", max_scan_items=2).get_items()


@pytest.mark.parametrize("budget", [0, -1])
def test_budgets_are_positive(budget: int) -> None:
    with pytest.raises(ValueError, match=f"max_scan_items is {budget}; it must be at least 1"):
        sealed(Stranger("a", {}), max_scan_items=budget)
