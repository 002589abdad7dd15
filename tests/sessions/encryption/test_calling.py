"""What an `EncryptedSession` forwards to its inner session: attributes, and a run's context."""

import copy
from typing import Any

import pytest

from tests.strangers import TALK, Stranger, sealed
from turnlog import Item, StoredSession
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


async def test_unknown_attributes_are_those_of_the_wrapped_session() -> None:
    stranger: Any = Stranger("a", {})
    stranger.title = "T"
    session = sealed(stranger)
    assert session.title == "T"
    assert not hasattr(session, "nothing")
    assert not hasattr(session, "run_compaction")
    assert copy.copy(session).title == "T"


async def test_what_would_store_plain_items_is_not_forwarded() -> None:
    session = sealed(StoredSession("a", MemoryStore()))
    assert session.branch == "main"
    for name in ("turn", "edit", "fork", "view", "explain"):
        with pytest.raises(AttributeError, match="EncryptSession"):
            getattr(session, name)


class WithContext(Stranger):
    """All four methods take the context of a run."""

    def __init__(self) -> None:
        super().__init__("a", {})
        self.given: list[object] = []

    async def get_items(self, limit: int | None = None, *, wrapper: object = None) -> list[Item]:
        self.given.append(wrapper)
        return await super().get_items(limit)

    async def add_items(self, items: list[Item], *, wrapper: object = None) -> None:
        self.given.append(wrapper)
        await super().add_items(items)

    async def pop_item(self, *, wrapper: object = None) -> Item | None:
        self.given.append(wrapper)
        return await super().pop_item()

    async def clear_session(self, *, wrapper: object = None) -> None:
        self.given.append(wrapper)
        await super().clear_session()


class WithLittleContext(WithContext):
    async def clear_session(self) -> None:  # type: ignore[override]
        await super().clear_session()


@pytest.mark.parametrize(("kind", "forwarded"), [(WithContext, True), (WithLittleContext, False)])
async def test_the_context_of_a_run(kind: type[WithContext], forwarded: bool) -> None:
    stranger, context = kind(), object()
    session = sealed(stranger)
    await session.add_items(TALK, wrapper=context)
    await session.get_items(wrapper=context)
    await session.get_items(1, wrapper=context)
    await session.pop_item(wrapper=context)
    await session.clear_session(wrapper=context)
    assert stranger.given == [context if forwarded else None] * len(stranger.given)
    assert len(stranger.given) == 6
