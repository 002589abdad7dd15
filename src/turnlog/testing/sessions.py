"""The four verbs of a session as a test class, for any session class."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import ClassVar, TypeAlias

import pytest

from turnlog.conversation.session import Session
from turnlog.items.json import Item
from turnlog.testing.conversation import ITEMS, said
from turnlog.testing.hostile import NAMES, PLAIN, UNENCODABLE

__all__ = ["MakeSession", "SessionTests"]

#: Makes the session of an id.
MakeSession: TypeAlias = Callable[[str], Session]

TASKS = 8


def _numbered(count: int) -> list[Item]:
    return [said(str(n)) for n in range(count)]


class SessionTests:
    """Inherit this, override the fixture `make_session`, and run pytest.

    class TestMySession(SessionTests):
        @pytest.fixture
        def make_session(self):
            return lambda session_id: MySession(session_id, ...)

    No session of any id that the fixture makes may hold anything at first.
    """

    pytestmark = pytest.mark.anyio

    #: Whether each session object has a conversation of its own, whatever its id.
    private: ClassVar[bool] = False

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Turnlog is written for asyncio."""
        return "asyncio"

    @pytest.fixture
    def make_session(self) -> MakeSession:
        """A function that returns the session of an id. Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `make_session`")

    @pytest.fixture
    def session(self, make_session: MakeSession) -> Session:
        """An empty session."""
        return make_session("session")

    @pytest.fixture
    def again(self, make_session: MakeSession, session: Session) -> Session:
        """Another handle on the same conversation, where there can be one."""
        return session if self.private else make_session("session")

    async def test_it_has_the_members_of_a_session(self, make_session: MakeSession) -> None:
        session = make_session("some id")
        assert isinstance(session, Session)
        assert session.session_id == "some id"

    # What goes in comes out

    async def test_a_new_session_is_empty(self, session: Session) -> None:
        assert await session.get_items() == []
        assert await session.get_items(limit=3) == []

    async def test_items_come_back_equal(self, session: Session, again: Session) -> None:
        await session.add_items(list(ITEMS))
        assert await again.get_items() == list(ITEMS)

    async def test_keys_keep_their_order(self, session: Session) -> None:
        await session.add_items(list(ITEMS))
        assert json.dumps(await session.get_items()) == json.dumps(ITEMS)

    async def test_batches_follow_one_another(self, session: Session, again: Session) -> None:
        items = _numbered(6)
        await session.add_items(items[:1])
        await again.add_items(items[1:4])
        await session.add_items(items[4:])
        assert await session.get_items() == items

    async def test_equal_items_are_items_each(self, session: Session) -> None:
        await session.add_items([said("again"), said("again")])
        await session.add_items([said("again")])
        assert await session.get_items() == [said("again")] * 3

    async def test_no_items_add_nothing(self, session: Session) -> None:
        await session.add_items([])
        assert await session.get_items() == []
        await session.add_items([said("1")])
        await session.add_items([])
        assert await session.get_items() == [said("1")]

    async def test_a_big_text(self, session: Session) -> None:
        big = said("é😀\n" * 100_000)
        await session.add_items([said("before"), big, said("after")])
        assert await session.get_items() == [said("before"), big, said("after")]

    async def test_deep_nesting(self, session: Session) -> None:
        item: Item = said("deep")
        for _ in range(60):
            item = {"inner": [item]}
        await session.add_items([item])
        assert await session.get_items() == [item]

    async def test_what_is_returned_belongs_to_the_caller(self, session: Session) -> None:
        given: list[Item] = [{"content": [{"text": "1"}]}, said("2")]
        await session.add_items(given)
        given[0]["content"][0]["text"] = "changed"
        for _ in range(2):
            found = await session.get_items()
            assert found == [{"content": [{"text": "1"}]}, said("2")]
            found[0]["content"][0]["text"] = "changed"
            found.clear()

    # Limits

    @pytest.mark.parametrize("limit", [None, 0, 1, 2, 4, 5, 6, 1000])
    async def test_a_limit_shows_the_newest(self, session: Session, limit: int | None) -> None:
        items = _numbered(5)
        await session.add_items(items[:3])
        await session.add_items(items[3:])
        expected = items if limit is None else items[max(0, 5 - limit) :]
        assert await session.get_items(limit) == expected
        assert await session.get_items(limit=limit) == expected

    # Taking back

    async def test_pop_takes_the_newest(self, session: Session, again: Session) -> None:
        await session.add_items(_numbered(3))
        assert await session.pop_item() == said("2")
        assert await again.pop_item() == said("1")
        assert await session.get_items() == [said("0")]
        await session.add_items([said("new")])
        assert await session.get_items() == [said("0"), said("new")]

    async def test_pop_on_empty_gives_none(self, session: Session) -> None:
        assert await session.pop_item() is None
        await session.add_items([said("1")])
        assert await session.pop_item() == said("1")
        assert await session.pop_item() is None
        assert await session.get_items() == []

    async def test_pops_at_once_take_different_items(
        self, session: Session, again: Session
    ) -> None:
        await session.add_items(_numbered(10))
        pops = [handle.pop_item() for handle in [session, again] * 6]
        popped = await asyncio.gather(*pops)
        texts = sorted(item["content"] for item in popped if item is not None)
        assert texts == [str(n) for n in range(10)]
        assert popped.count(None) == 2
        assert await session.get_items() == []

    # Forgetting

    async def test_clear_forgets_everything(self, session: Session, again: Session) -> None:
        await session.add_items(_numbered(3))
        await session.clear_session()
        assert await again.get_items() == []
        assert await again.pop_item() is None

    async def test_a_cleared_session_goes_on(self, session: Session) -> None:
        for text in ("1", "2"):
            await session.clear_session()
            await session.add_items([said(text)])
            assert await session.get_items() == [said(text)]

    # Many at once, and many ids

    async def test_adding_at_once_keeps_every_batch(self, session: Session, again: Session) -> None:
        batches = [[said(f"{n}.{m}") for m in range(3)] for n in range(TASKS)]
        handles = [session, again] * (TASKS // 2)
        await asyncio.gather(*(h.add_items(b) for h, b in zip(handles, batches, strict=True)))
        items = await session.get_items()
        stored = [items[start : start + 3] for start in range(0, len(items), 3)]
        assert sorted(stored, key=json.dumps) == batches

    async def test_other_ids_are_other_conversations(self, make_session: MakeSession) -> None:
        sessions = {name: make_session(name) for name in ("a", "b", "ab", "a%", "A")}
        for name, session in sessions.items():
            await session.add_items([said(name), said("second")])
        await sessions["a"].clear_session()
        await sessions["b"].pop_item()
        found = {name: await session.get_items() for name, session in sessions.items()}
        both = {name: [said(name), said("second")] for name in ("ab", "a%", "A")}
        assert found == {"a": [], "b": [said("b")], **both}

    async def test_hostile_ids_are_ids_or_refused(self, make_session: MakeSession) -> None:
        taken: dict[str, Session] = {}
        for name in NAMES:
            try:
                session = make_session(name)
                await session.add_items([said(name)])
            except ValueError:
                continue
            taken[name] = session
        assert set(PLAIN) <= set(taken)
        for name in list(taken)[::5]:
            await taken.pop(name).clear_session()
        for name, session in taken.items():
            assert await session.get_items() == [said(name)]

    @pytest.mark.parametrize("name", UNENCODABLE, ids=ascii)
    async def test_an_id_without_an_encoding(self, make_session: MakeSession, name: str) -> None:
        try:
            session = make_session(name)
            await session.add_items([said("1")])
        except ValueError:
            return
        assert await session.get_items() == [said("1")]
