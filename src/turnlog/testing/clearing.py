"""Promises of clearing and of descriptions on every store, as a test class."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from turnlog.conversation.about import About, Changes
from turnlog.conversation.session import StoredSession
from turnlog.errors import BranchDeleted, BranchNameUsed
from turnlog.records import Log
from turnlog.testing.conversation import said
from turnlog.testing.three_turns import ThreeTurns, branch_names, log_lengths, on_branch, turns

__all__ = ["ClearingTests"]


class ClearingTests(ThreeTurns):
    """Promises of what stays of a cleared conversation. The class that inherits it has `stored`."""

    # Clearing

    async def test_clearing_keeps_what_is_about_the_conversation(self, talk: StoredSession) -> None:
        main = on_branch(talk, "main")
        await main.add_items(turns(1))
        forked = await main.fork("try")
        await main.describe(title="T", tags=["a"], owner="o", archived=True, hold=True)
        await main.clear_session()
        assert await main.get_items() == []
        assert await main.about() == About(tags=("a",), owner="o", hold=True)
        assert await branch_names(main) == ["main"]
        assert await forked.get_items() == []
        with pytest.raises(BranchDeleted):
            await forked.add_items([said("again")])
        with pytest.raises(BranchNameUsed):
            await main.fork("try")
        await main.add_items(turns(2))
        assert await main.get_items() == turns(2)
        await main.clear_session()
        assert await main.get_items() == []

    async def test_a_plain_conversation_is_deleted_when_it_is_cleared(
        self, stored: StoredSession
    ) -> None:
        main = on_branch(stored, "main")
        await main.add_items(turns(1))
        await main.describe(title="T", archived=True)
        await main.clear_session()
        assert await stored.store.logs(stored.session_id) == []

    async def test_clearing_a_branch_leaves_the_others(self, talk: StoredSession) -> None:
        forked = await talk.fork("try")
        await talk.store.append(Log(talk.session_id, ":usage@try"), [b"{}"])
        await forked.clear_session()
        assert await forked.get_items() == []
        assert "try" in await branch_names(talk)
        assert ":usage@try" not in await log_lengths(talk.store, talk.session_id)
        await forked.add_items([said("1")])
        assert await forked.get_items() == [said("1")]
        assert await talk.get_items() == turns(1, 2, 3)

    async def test_a_turn_clears_its_own_conversation(self, talk: StoredSession) -> None:
        main = on_branch(talk, "main")
        await main.fork("try")
        async with main.turn("a question") as turn:
            await main.clear_session()
            await turn.add([{"role": "assistant", "content": "an answer"}])
        assert await main.get_items() == [{"role": "assistant", "content": "an answer"}]
        assert await branch_names(main) == ["main"]

    # Descriptions

    async def test_a_conversation_is_described(self, stored: StoredSession) -> None:
        assert await stored.about() == About()
        described = await stored.describe(title="Trip", tags=("a", "b"))
        assert described == About(title="Trip", tags=("a", "b"))
        assert await stored.describe(owner="o", title=None) == About(tags=("a", "b"), owner="o")
        assert await on_branch(stored, "side").about() == About(tags=("a", "b"), owner="o")
        assert await stored.get_items() == []

    async def test_descriptions_at_once_are_all_kept(self, stored: StoredSession) -> None:
        changes: Sequence[Changes] = [
            {"title": "T"},
            {"tags": ["a"]},
            {"owner": "o"},
            {"archived": True},
            {"hold": True},
        ]
        await asyncio.gather(*(on_branch(stored, "main").describe(**each) for each in changes))
        assert await stored.about() == About("T", ("a",), "o", archived=True, hold=True)

    @pytest.mark.parametrize(
        "wrong", [{"tilte": "T"}, {"title": 7}, {"tags": "a"}, {"tags": [1]}, {"hold": "yes"}]
    )
    async def test_what_describes_nothing_is_refused(
        self, stored: StoredSession, wrong: Any
    ) -> None:
        [name] = wrong
        with pytest.raises(TypeError, match=name):
            await stored.describe(**wrong)
        assert await stored.about() == About()
