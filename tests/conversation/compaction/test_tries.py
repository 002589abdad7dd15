"""Which errors of a summariser pass, and how often it is tried."""

import asyncio

import pytest

from tests.sample_items import user
from turnlog import Item
from turnlog.conversation.compaction.tries import is_transient, tried

pytestmark = pytest.mark.anyio


class APIConnectionError(Exception):
    """As clients of providers have it."""


class Refused(Exception):
    """With a status, as errors of clients of HTTP have it."""

    def __init__(self, status: int) -> None:
        self.status_code = status


class Timeout(APIConnectionError):
    """One of its kinds."""


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(),
        APIConnectionError(),
        Timeout(),
        *map(Refused, (408, 409, 429, 500, 503)),
    ],
)
def test_what_passes(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize("error", [ValueError(), Refused(400), Refused(401), Refused(404)])
def test_what_does_not(error: Exception) -> None:
    assert not is_transient(error)


@pytest.mark.parametrize(("error", "times"), [(TimeoutError(), 3), (ValueError(), 1)])
async def test_the_last_error_is_raised(
    error: Exception, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnlog.conversation.compaction.tries._DELAY", 0.001)
    seen: list[list[Item]] = []

    async def failing(items: list[Item]) -> str:
        seen.append(items)
        items.clear()  # each try gets items of its own
        raise error

    with pytest.raises(type(error)):
        await tried(failing)([user("q")])
    assert len(seen) == times
    given: list[int] = []

    async def counting(items: list[Item]) -> str:
        given.append(len(items))
        items.clear()
        if len(given) == 1:
            raise TimeoutError
        return "done"

    assert await tried(counting)([user("q")]) == "done"
    assert given == [1, 1]


async def test_a_cancelled_task_is_not_tried_again() -> None:
    calls = 0

    async def slow(items: list[Item]) -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(60)
        return ""

    task = asyncio.ensure_future(tried(slow)([user("q")]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls == 1
