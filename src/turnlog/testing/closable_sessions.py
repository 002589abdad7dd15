"""Promises of sessions that close the store they opened, as a test class."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from turnlog.conversation.closing import closed
from turnlog.conversation.session import StoredSession
from turnlog.errors import StoreClosed
from turnlog.testing.conversation import said
from turnlog.testing.stored_sessions import StoredSessionTests

__all__ = ["ClosableSessionTests"]

VERBS: Mapping[str, Callable[[StoredSession], Awaitable[object]]] = {
    "get_items": lambda session: session.get_items(),
    "get_items(limit=0)": lambda session: session.get_items(limit=0),
    "add_items": lambda session: session.add_items([said("1")]),
    "add_items([])": lambda session: session.add_items([]),
    "pop_item": lambda session: session.pop_item(),
    "clear_session": lambda session: session.clear_session(),
    "fork": lambda session: session.fork(),
    "branches": lambda session: session.branches(),
    "switch_to": lambda session: session.switch_to("main"),
    "delete_branch": lambda session: session.delete_branch("other"),
    "rewind": lambda session: session.rewind(turns=1),
    "edit": lambda session: session.edit(1, said("1")),
    "diff": lambda session: session.diff("main"),
    "about": lambda session: session.about(),
    "describe": lambda session: session.describe(title="T"),
}


class ClosableSessionTests(StoredSessionTests):
    """`StoredSessionTests` and more, for sessions whose `close` closes the store they opened."""

    @pytest.mark.parametrize("verb", VERBS)
    async def test_a_closed_session_refuses_every_verb(
        self, stored: StoredSession, verb: str
    ) -> None:
        await stored.add_items([said("1")])
        await closed(stored)
        name = type(stored).__name__
        with pytest.raises(RuntimeError, match=f"^{name} is closed$") as caught:
            await VERBS[verb](stored)
        assert isinstance(caught.value, StoreClosed)

    @pytest.mark.parametrize("verb", VERBS)
    async def test_closing_before_the_first_use_is_final(
        self, stored: StoredSession, verb: str
    ) -> None:
        await closed(stored)
        with pytest.raises(StoreClosed):
            await VERBS[verb](stored)

    async def test_closing_twice_and_at_once(self, stored: StoredSession) -> None:
        await stored.add_items([said("1")])
        await asyncio.gather(*(closed(stored) for _ in range(3)))
        await closed(stored)

    async def test_closing_one_handle_leaves_the_other(
        self, stored: StoredSession, make_session: Callable[[str], StoredSession]
    ) -> None:
        other = make_session("other" if self.private else stored.session_id)
        await stored.add_items([said("1")])
        await closed(stored)
        await other.add_items([said("2")])
        assert (await other.get_items())[-1] == said("2")
        assert len(await other.get_items()) == (1 if self.private else 2)

    async def test_closing_while_adds_are_under_way(self, stored: StoredSession) -> None:
        adds = [asyncio.create_task(stored.add_items([said("1")])) for _ in range(8)]
        await asyncio.sleep(0)
        await closed(stored)
        answers = await asyncio.gather(*adds, return_exceptions=True)
        assert all(answer is None or isinstance(answer, StoreClosed) for answer in answers)
