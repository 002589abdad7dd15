"""The SDK's names for branches, turns and usage, on the blocking twin of a stored session."""

from __future__ import annotations

from typing import Any

from turnlog.conversation import session as awaitable
from turnlog.sync.loop import run
from turnlog.sync.session import BlockingSession

__all__ = ["BlockingAdvancedNames"]


class BlockingAdvancedNames(BlockingSession):
    """The methods of `AdvancedNames` as calls that wait."""

    session: awaitable.StoredSession

    def create_branch_from_turn(self, turn_number: int, branch_name: str | None = None) -> str:
        """Fork what lies before a turn, move to the new branch, and return its name."""
        return run(self.session.create_branch_from_turn, turn_number, branch_name)

    def create_branch_from_content(self, search_term: str, branch_name: str | None = None) -> str:
        """The same for the first turn whose question contains `search_term`."""
        return run(self.session.create_branch_from_content, search_term, branch_name)

    def switch_to_branch(self, branch_id: str) -> None:
        """Move this session to a branch that has items."""
        run(self.session.switch_to_branch, branch_id)

    def list_branches(self) -> list[dict[str, Any]]:
        """The branches that have items, the oldest first."""
        return run(self.session.list_branches)

    def get_conversation_turns(self, branch_id: str | None = None) -> list[dict[str, Any]]:
        """The questions of a branch, with previews."""
        return run(self.session.get_conversation_turns, branch_id)

    def find_turns_by_content(
        self, search_term: str, branch_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The questions whose text contains `search_term`."""
        return run(self.session.find_turns_by_content, search_term, branch_id)

    def get_conversation_by_turns(
        self, branch_id: str | None = None
    ) -> dict[int, list[dict[str, str | None]]]:
        """The type and the tool's name of each item, by the number of the turn."""
        return run(self.session.get_conversation_by_turns, branch_id)

    def get_tool_usage(self, branch_id: str | None = None) -> list[tuple[str | None, int, int]]:
        """For each turn and tool: the tool's name, how often it was called, the turn's number."""
        return run(self.session.get_tool_usage, branch_id)

    def get_session_usage(self, branch_id: str | None = None) -> dict[str, int] | None:
        """The usage of the turns of a branch, or of all."""
        return run(self.session.get_session_usage, branch_id)

    def get_turn_usage(
        self, user_turn_number: int | None = None, branch_id: str | None = None
    ) -> list[dict[str, Any]] | dict[str, Any]:
        """The usage of one turn, or of each."""
        return run(self.session.get_turn_usage, user_turn_number, branch_id)
