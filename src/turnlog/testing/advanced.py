"""The promises of the method names that the SDK's `AdvancedSQLiteSession` has."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from turnlog.conversation.session import StoredSession
from turnlog.conversation.usage.usage import Usage
from turnlog.items.json import Item
from turnlog.testing.conversation import said

__all__ = ["AdvancedNamesTests"]

CALL: Item = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
OUTPUT: Item = {"type": "function_call_output", "call_id": "c", "output": "seen"}
TALK = [said("Where is Oslo?"), CALL, OUTPUT, said("And Ålesund?")]


def _spent(tokens: int) -> object:
    return SimpleNamespace(context_wrapper=SimpleNamespace(usage=Usage(tokens, 2, requests=1)))


class AdvancedNamesTests:
    """Branches, turns, tools and usage, in the shapes of the SDK."""

    async def test_turns_are_listed(self, stored: StoredSession) -> None:
        assert await stored.get_conversation_turns() == []
        await stored.add_items([{"role": "system", "content": "Be brief."}, *TALK])
        first, second = await stored.get_conversation_turns()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", first.pop("timestamp"))
        text = "Where is Oslo?"
        assert first == {"turn": 1, "content": text, "full_content": text, "can_branch": True}
        assert (second["turn"], second["content"]) == (2, "And Ålesund?")
        assert await stored.get_conversation_by_turns() == {
            0: [{"type": "other", "tool_name": None}],
            1: [
                {"type": "user", "tool_name": None},
                {"type": "function_call", "tool_name": "look"},
                {"type": "function_call_output", "tool_name": None},
            ],
            2: [{"type": "user", "tool_name": None}],
        }
        assert await stored.get_tool_usage() == [("look", 1, 1)]

    async def test_turns_are_found(self, stored: StoredSession) -> None:
        await stored.add_items(TALK)
        found = await stored.find_turns_by_content("oslo")
        assert [turn["turn"] for turn in found] == [1]
        assert [turn["turn"] for turn in await stored.find_turns_by_content("Ålesund")] == [2]
        assert await stored.find_turns_by_content("ålesund") == []
        assert await stored.find_turns_by_content("oslo", "") == []

    async def test_a_branch_is_made_and_left(self, stored: StoredSession) -> None:
        await stored.add_items(TALK)
        home = stored.branch
        assert await stored.create_branch_from_turn(2, "try") == "try"
        assert stored.branch == "try"
        assert await stored.get_items() == TALK[:3]
        names = [branch["branch_id"] for branch in await stored.list_branches()]
        assert sorted(names) == sorted([home, "try"])
        with pytest.raises(ValueError, match="already been used"):
            await stored.create_branch_from_content("oslo", "try")
        await stored.switch_to_branch(home)
        assert await stored.get_items() == TALK
        made = [await stored.create_branch_from_content("Ålesund")]
        await stored.switch_to_branch(home)
        made.append(await stored.create_branch_from_turn(2))
        assert len(set(made)) == 2
        assert all(name.startswith("branch_from_turn_2_") for name in made)

    @pytest.mark.parametrize("turn", [0, 3])
    async def test_a_turn_that_is_not_there(self, stored: StoredSession, turn: int) -> None:
        await stored.add_items([{"role": "system", "content": "x"}, *TALK])
        with pytest.raises(ValueError, match=f"Turn {turn} does not contain a user message"):
            await stored.create_branch_from_turn(turn)
        with pytest.raises(ValueError, match="No user turns found containing"):
            await stored.create_branch_from_content("Bergen")

    async def test_an_empty_branch_does_not_exist(self, stored: StoredSession) -> None:
        await stored.add_items(TALK)
        home = stored.branch
        await stored.create_branch_from_turn(1, "anew")
        assert [branch["branch_id"] for branch in await stored.list_branches()] == [home]
        for name in ("anew", "", ":usage", "nowhere"):
            with pytest.raises(ValueError, match="does not exist"):
                await stored.switch_to_branch(name)
        await stored.switch_to_branch("main")
        assert stored.branch == "main"

    async def test_usage_is_told_by_turn_and_in_all(self, stored: StoredSession) -> None:
        assert await stored.get_session_usage() is None
        await stored.add_items(TALK)
        result = _spent(10)
        for _ in range(2):
            await stored.store_run_usage(result)
        await stored.store_run_usage(_spent(5))
        details = {"input_tokens_details": None, "output_tokens_details": None}
        counts = {"requests": 2, "input_tokens": 15, "output_tokens": 4, "total_tokens": 19}
        assert await stored.get_turn_usage(2) == {**counts, **details}
        assert await stored.get_turn_usage(1) == {}
        assert await stored.get_turn_usage() == [{"user_turn_number": 2, **counts, **details}]
        fork = await stored.fork("copy")
        assert await fork.get_turn_usage(2) == {**counts, **details}
        for branch in (None, stored.branch, "copy"):
            assert await fork.get_session_usage(branch) == {**counts, "total_turns": 1}
        for branch in ("", "nowhere"):
            assert await fork.get_session_usage(branch) is None
            assert await fork.get_turn_usage(2, branch) == {}
