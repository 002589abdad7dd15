"""Sessions that can only be cleared and filled again: what others do during the request counts."""

import copy
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from tests.sample_items import answer, user
from tests.strangers import TALK, Stranger, sealed
from turnlog import Item, OpenAIResponsesCompactionSession

pytestmark = pytest.mark.anyio

SUMMARY: Item = {"type": "compaction", "encrypted_content": "sealed"}
BY_HAND: Any = {"force": True, "compaction_mode": "input"}
#: The same words come twice in it.
YES = [user("yes"), answer("1"), user("yes"), answer("2")]


class Client:
    """A client during whose request something happens."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self.meanwhile = meanwhile
        self.sent: list[Item] = []
        self.responses = self

    async def compact(self, **request: Any) -> Any:
        self.sent = copy.deepcopy(request["input"])
        await self.meanwhile()
        return self

    output = (SUMMARY,)
    usage = None


def compacting(inner: Any, meanwhile: Callable[[], Awaitable[object]]) -> Any:
    client = cast("Any", Client(meanwhile))
    return OpenAIResponsesCompactionSession("user", inner, model="gpt-5", client=client)


async def nothing() -> None:
    pass


class Limited(Stranger):
    """Gives the newest two items, unless it is asked for more."""

    async def get_items(self, limit: int | None = None) -> list[Item]:
        return await super().get_items(2 if limit is None else limit)


async def test_by_hand_all_that_is_replaced_is_sent() -> None:
    """Whatever a read without a limit gives."""
    inner = Limited("user", {"user": copy.deepcopy(TALK)})
    session = compacting(inner, nothing)
    await session.run_compaction(BY_HAND)
    assert session.client.sent == TALK
    assert await inner.get_items(100) == [SUMMARY]


@pytest.mark.parametrize("is_encrypted", [False, True])
@pytest.mark.parametrize("does", ["add the same", "pop", "clear", "nothing"])
async def test_what_others_do_during_the_request(does: str, is_encrypted: bool) -> None:
    inner = Stranger("user", {})
    other: Any = sealed(inner) if is_encrypted else inner
    await other.add_items(YES)

    async def meanwhile() -> None:
        match does:
            case "add the same":
                await other.add_items([user("yes")])
            case "pop":
                await other.pop_item()
            case "clear":
                await other.clear_session()

    session = compacting(inner, meanwhile)
    session = sealed(session) if is_encrypted else session
    await session.run_compaction(BY_HAND)
    left = {"add the same": [*YES, user("yes")], "pop": YES[:-1], "clear": []}
    assert await session.get_items() == left.get(does, [SUMMARY])


async def test_the_oldest_may_expire_during_the_request() -> None:
    inner = Stranger("user", {})
    await inner.add_items(YES)

    async def expire() -> None:
        items = await inner.get_items()
        await inner.clear_session()
        await inner.add_items(items[2:])

    await compacting(inner, expire).run_compaction(BY_HAND)
    assert await inner.get_items() == [SUMMARY]
