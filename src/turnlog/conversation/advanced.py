"""The method names of the OpenAI Agents SDK's `AdvancedSQLiteSession`, on every stored session.

They return what the SDK's methods return. `fork`, `branches`, `turns` and `usage` say more.
"""

from __future__ import annotations

import json
import string
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from turnlog.conversation.accounting import Accounting
from turnlog.conversation.branches.branching import Branching
from turnlog.conversation.branches.forks import check_name
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import StoredTurn, TurnIndex
from turnlog.conversation.reading.turn_usage import Places
from turnlog.conversation.usage.entries import Entry, counted
from turnlog.conversation.usage.usage import Usage, total
from turnlog.errors import BranchNameUsed, NoSuchBranch, NoSuchTurn
from turnlog.items.given import given
from turnlog.items.tools import tool_counts, tool_name, type_name
from turnlog.records import Log

__all__ = ["AdvancedNames"]

#: How many characters of a question `get_conversation_turns` shows.
_PREVIEW = 100

#: Search takes no notice of case in these letters; see docs/sdk.md.
_FOLDED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class AdvancedNames(Branching, Accounting):
    """Branches, turns and usage under the names that the SDK has for them.

    branch_id: the name of a branch; None is the one that this session stands on. A branch that
        does not exist has no turns and no usage.
    """

    async def create_branch_from_turn(
        self, turn_number: int, branch_name: str | None = None
    ) -> str:
        """Fork what lies before a turn, move this session to the new branch, and return its name.

        branch_name: one that the conversation has never used; one is made up for None.

        Raises `ValueError` for a name that is blank or was used, and for a turn that is not there.
        """
        if branch_name is not None:
            check_name(branch_name)
        log = await self._arrived()
        if turn_number == 0:  # which no user's message begins
            raise NoSuchTurn(log, turn_number)
        if branch_name is None:
            branch_name = await self._fork_before(turn_number)
        else:
            await self.fork(branch_name, at=turn_number)
        self.branch = branch_name
        return branch_name

    async def create_branch_from_content(
        self, search_term: str, branch_name: str | None = None
    ) -> str:
        """The same for the first turn whose question contains `search_term`.

        Raises `ValueError` if there is none.
        """
        found = await self.find_turns_by_content(search_term)
        if not found:
            raise ValueError(
                "No user turns found containing the search term: it has to be a part of a user's "
                "message, letter by letter; the case of A to Z does not matter"
            )
        return await self.create_branch_from_turn(found[0]["turn"], branch_name)

    async def switch_to_branch(self, branch_id: str) -> None:
        """Move this session to a branch. Raises `NoSuchBranch` for one without items.

        "main" is always there; `switch_to` finds empty branches too.
        """
        self._log()
        if branch_id != "main":
            await self._check_has_items(branch_id)
        self.branch = branch_id

    async def list_branches(self) -> list[dict[str, Any]]:
        """The branches that have items, the oldest first.

        Each with `branch_id`, `message_count`, `user_turns`, `is_current` and `created_at`, a
        text such as "2026-11-28 09:30:00" in UTC.
        """
        await self._arrived()
        branches = [branch for branch in await self.branches() if branch.items]
        return [
            {
                "branch_id": branch.name,
                "message_count": branch.items,
                "user_turns": branch.turns,
                "is_current": branch.is_current,
                "created_at": _timestamp(branch.created_at),
            }
            for branch in sorted(branches, key=lambda branch: int(branch.created_at))
        ]

    async def get_conversation_turns(self, branch_id: str | None = None) -> list[dict[str, Any]]:
        """The questions of a branch.

        Each with `turn` (its number), `content` (its text, or the JSON of its parts, at most 100
        characters and "..."), `full_content`, `timestamp` and `can_branch`, which is True.
        """
        questions = [turn for turn in await self._turns_of(branch_id) if turn.number]
        return [_told(turn, _PREVIEW) for turn in questions]

    async def find_turns_by_content(
        self, search_term: str, branch_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The questions whose text contains `search_term`, in the same form, with `content` whole.

        The case of A to Z does not matter, that of other letters does, as in the SDK.
        """
        if not isinstance(search_term, str):
            raise TypeError(f"search_term must be a str, not {given(search_term)}: use str(…)")
        wanted = search_term.translate(_FOLDED)
        questions = [turn for turn in await self._turns_of(branch_id) if turn.number]
        return [
            _told(turn)
            for turn in questions
            if any(wanted in text.translate(_FOLDED) for text in _texts(_content(turn)))
        ]

    async def get_conversation_by_turns(
        self, branch_id: str | None = None
    ) -> dict[int, list[dict[str, str | None]]]:
        """The type and the tool's name of each item, by the number of the turn.

        What comes before the first question is under 0.
        """
        return {
            turn.number: [
                {"type": type_name(item), "tool_name": tool_name(item)} for item in turn.items
            ]
            for turn in await self._turns_of(branch_id)
        }

    async def get_tool_usage(
        self, branch_id: str | None = None
    ) -> list[tuple[str | None, int, int]]:
        """For each turn and tool: the tool's name, how often it was called, the turn's number."""
        return [
            (name, uses, turn.number)
            for turn in await self._turns_of(branch_id)
            for name, uses in tool_counts(turn.items)
        ]

    async def get_session_usage(self, branch_id: str | None = None) -> dict[str, int] | None:
        """The usage of the turns of a branch; None if nothing is recorded.

        branch_id: None means all branches; what a fork has copied counts once.

        A dict with `requests`, `input_tokens`, `output_tokens`, `total_tokens` and `total_turns`,
        the number of turns with usage.
        """
        self._log()
        if branch_id is None:
            names = [branch.name for branch in await self.branches()]
        else:
            names = [branch_id]
        seen: set[str] = set()
        spent = [usage for name in names for usage in await self._newly_spent(name, seen)]
        return {**_counts(total(spent)), "total_turns": len(spent)} if spent else None

    async def get_turn_usage(
        self, user_turn_number: int | None = None, branch_id: str | None = None
    ) -> list[dict[str, Any]] | dict[str, Any]:
        """The usage of one turn, {} if nothing is recorded; or a list of all turns with usage.

        A dict with `requests`, `input_tokens`, `output_tokens`, `total_tokens` and the details
        that the provider gave, `input_tokens_details` and `output_tokens_details`, or None. In the
        list also with `user_turn_number`. The runs of a turn add up.
        """
        log = await self._log_of(branch_id)
        spent = {} if log is None else await self._spent_on(log)
        turns = {
            number: total(entry.usage for entry in entries) for number, entries in spent.items()
        }
        if user_turn_number is not None:
            usage = turns.get(user_turn_number)
            return {} if usage is None else _detailed(usage)
        return [
            {"user_turn_number": number, **_detailed(turns[number])} for number in sorted(turns)
        ]

    async def _arrived(self) -> Log:
        """The log that this session stands on; see `AdvancedSQLiteSession`."""
        return self._log()

    async def _fork_before(self, turn: int) -> str:
        """Fork under a name made of the turn's number and the time; returns the name."""
        stem = f"branch_from_turn_{turn}_{int(time.time())}"
        name, number = stem, 1
        while True:
            try:
                await self.fork(name, at=turn)
            except BranchNameUsed:
                number += 1
                name = f"{stem}_{number}"
            else:
                return name

    async def _check_has_items(self, name: str) -> None:
        log = await self._log_of(name)
        if log is None or not await self.store.read(log, limit=1):
            raise NoSuchBranch(Log(self.session_id, name))

    async def _log_of(self, branch_id: str | None) -> Log | None:
        """The log of a branch; None for a name that no branch can have."""
        if branch_id is None:
            return await self._arrived()
        here = self._log()
        is_name = branch_id != "" and not branch_id.startswith(":")
        return here._replace(name=branch_id) if is_name else None

    async def _turns_of(self, branch_id: str | None) -> list[StoredTurn]:
        log = await self._log_of(branch_id)
        return [] if log is None else await TurnIndex(LogReader(self.store, log)).whole()

    async def _spent_on(self, log: Log) -> dict[int, list[Entry]]:
        """The usage entries of each turn that is there, by its number."""
        turns = await TurnIndex(LogReader(self.store, log)).whole()
        places, spent = Places(turns), dict[int, list[Entry]]()
        for entry in await counted(self.store, log):
            number = places.number_of(entry)
            if number is not None and turns:
                spent.setdefault(number, []).append(entry)
        return spent

    async def _newly_spent(self, name: str, seen: set[str]) -> list[Usage]:
        """The usage of each turn of a branch, without the runs in `seen`, which grows by them."""
        log = await self._log_of(name)
        spent = {} if log is None else await self._spent_on(log)
        fresh = {
            number: [entry for entry in entries if entry.run not in seen]
            for number, entries in spent.items()
        }
        seen.update(entry.run for entries in spent.values() for entry in entries)
        return [total(entry.usage for entry in entries) for entries in fresh.values() if entries]


def _timestamp(seconds: float) -> str:
    """The time as SQLite's CURRENT_TIMESTAMP writes it."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S")


def _content(turn: StoredTurn) -> Any:  # any JSON
    return turn.items[0].get("content", "")


def _told(turn: StoredTurn, most: int | None = None) -> dict[str, Any]:
    content = _content(turn)
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return {
        "turn": turn.number,
        "content": text if most is None or len(text) <= most else f"{text[:most]}...",
        "full_content": content,
        "timestamp": _timestamp(turn.created_at),
        "can_branch": True,
    }


def _texts(content: object) -> Sequence[str]:
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else []
    return [str(part.get("text") or "") for part in parts if isinstance(part, dict)]


def _counts(usage: Usage) -> dict[str, int]:
    return {
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


def _detailed(usage: Usage) -> dict[str, Any]:
    return {
        **_counts(usage),
        "input_tokens_details": usage.input_details,
        "output_tokens_details": usage.output_details,
    }
