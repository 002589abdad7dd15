"""Promises of every session over a store, beyond the four verbs, as test classes."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest

from turnlog.conversation.session import StoredSession
from turnlog.conversation.settings import SessionSettings
from turnlog.errors import InvalidItem
from turnlog.items.json import Item
from turnlog.records import Log
from turnlog.testing.accounting import AccountingTests
from turnlog.testing.advanced import AdvancedNamesTests
from turnlog.testing.branching import BranchingTests
from turnlog.testing.closing import ClosingTests
from turnlog.testing.compaction import CompactionTests
from turnlog.testing.conversation import said
from turnlog.testing.holders import HolderTests
from turnlog.testing.holding import HeldTests
from turnlog.testing.promises.cancelling import cancelled_at_random
from turnlog.testing.replacement import Replacement
from turnlog.testing.sessions import SessionTests
from turnlog.testing.turns import TurnTests
from turnlog.testing.unopened import UnopenedTests

__all__ = ["StoredSessionTests"]

#: Payloads that hold no item.
BROKEN = (b"", b"not json", b"\xff\x00", b"[1, 2]", b"null", b'"text"', b'{"half": ')

#: Items with a value that JSON has no form for, and the path to it. The path shows the names of
#: OpenAI's fields only: every other key may be something that people typed.
REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "bytes": ({"content": {"data": b"\x89PNG"}}, "items[1].content.data"),
    "a set": ({"queries": ["a", {"b"}]}, "items[1].queries[1]"),
    "NaN": ({"logprobs": [1.0, float("nan")]}, "items[1].logprobs[1]"),
    "infinity": ({"action": {"path": [{"x": float("-inf")}]}}, "items[1].action.path[0].x"),
    "an object": ({"arguments": object()}, "items[1].arguments"),
    "a key that is no text": ({"action": {1: "x"}}, "items[1].action"),
    "a key of the caller's own": ({"moods": {"Alice": {1}}}, "items[1][…][…]"),
}


@dataclasses.dataclass
class _Question:
    content: str
    role: str = "user"


class StoredSessionTests(
    AdvancedNamesTests,
    BranchingTests,
    AccountingTests,
    ClosingTests,
    TurnTests,
    HolderTests,
    CompactionTests,
    HeldTests,
    Replacement,
    UnopenedTests,
    SessionTests,
):
    """`SessionTests` and more, for `StoredSession` and the classes made of it."""

    @pytest.fixture
    def stored(self, session: StoredSession) -> StoredSession:
        """The session under test."""
        assert isinstance(session, StoredSession)
        return session

    async def _plant(self, session: StoredSession, *payloads: bytes) -> None:
        """Store payloads as they are."""
        await session.store.append(Log(session.session_id, session.branch), payloads)

    # Items

    @pytest.mark.parametrize("kind", REFUSED)
    async def test_what_json_can_not_hold_is_refused(
        self, stored: StoredSession, kind: str
    ) -> None:
        item, path = REFUSED[kind]
        await stored.add_items([said("before")])
        with pytest.raises(InvalidItem) as caught:
            await stored.add_items([said("fine"), item, said("fine")], key="k")
        assert caught.value.path == path
        assert await stored.get_items() == [said("before")]
        await stored.add_items([said("after")], key="k")
        assert await stored.get_items() == [said("before"), said("after")]

    async def test_an_error_does_not_tell_what_was_said(self, stored: StoredSession) -> None:
        with pytest.raises(InvalidItem) as caught:
            await stored.add_items([{"content": "secret", "secret word": {"secret"}}])
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("wrong", [{"role": "user"}, "text", b"text", ["text"], [None], [7]])
    async def test_what_is_no_list_of_items_is_refused(
        self, stored: StoredSession, wrong: Any
    ) -> None:
        with pytest.raises(InvalidItem):
            await stored.add_items(wrong)
        assert await stored.get_items() == []

    async def test_what_is_rare_in_json_comes_back_too(self, stored: StoredSession) -> None:
        items: list[Item] = [
            {"n": [2**64, -(10**40), 2**63], "x": 1e16},
            said("half a pair: \ud83d"),
            {"content": None, "text": "null"},
        ]
        await stored.add_items(items)
        assert await stored.get_items() == items

    async def test_objects_and_generators_are_taken(self, stored: StoredSession) -> None:
        await stored.add_items(item for item in (_Question("1"), said("2")))
        assert await stored.get_items() == [{"content": "1", "role": "user"}, said("2")]

    # Retries and cancellation

    async def test_a_retry_with_the_same_key_stores_once(self, stored: StoredSession) -> None:
        batch = [said("1"), said("2")]
        for _ in range(3):
            await stored.add_items(batch, key="k")
        assert await stored.get_items() == batch
        await asyncio.gather(*(stored.add_items(batch, key="other") for _ in range(4)))
        assert await stored.get_items() == batch * 2

    async def test_a_cancelled_add_is_there_or_not(self, stored: StoredSession) -> None:
        chance = Random(1)  # noqa: S311 - the same moments in every run
        batch = [said("1"), said("2"), said("3")]
        found: list[Item] = []
        for _ in range(24):
            returned = await cancelled_at_random(chance, stored.add_items(batch))
            now = await stored.get_items()
            assert now in ([*found, *batch], found)
            assert not returned or len(now) > len(found)
            found = now

    async def test_a_cancelled_pop_takes_one_or_none(self, stored: StoredSession) -> None:
        chance = Random(2)  # noqa: S311 - the same moments in every run
        items = [said(str(n)) for n in range(12)]
        await stored.add_items(items)
        for _ in items:
            returned = await cancelled_at_random(chance, stored.pop_item())
            left = await stored.get_items()
            assert left in (items[:-1], items)
            assert not returned or len(left) < len(items)
            items = left or [said("last")]
            if not left:
                await stored.add_items(items)

    # Records that can't be decoded

    async def test_broken_records_hide_nothing_else(self, stored: StoredSession) -> None:
        await self._plant(stored, *BROKEN)
        for n in range(4):
            await stored.add_items([said(str(n))])
            await self._plant(stored, *BROKEN)
        items = [said(str(n)) for n in range(4)]
        assert await stored.get_items() == items
        for limit in range(6):
            assert await stored.get_items(limit) == items[max(0, 4 - limit) :]

    async def test_reading_removes_nothing(self, stored: StoredSession) -> None:
        await self._plant(stored, *BROKEN)
        await stored.get_items()
        await stored.get_items(limit=1)
        log = Log(stored.session_id, stored.branch)
        assert [record.payload for record in await stored.store.read(log)] == list(BROKEN)

    async def test_pop_removes_broken_records_on_its_way(self, stored: StoredSession) -> None:
        await self._plant(stored, *BROKEN)
        await stored.add_items([said("1"), said("2")])
        await self._plant(stored, *BROKEN)
        log = Log(stored.session_id, stored.branch)
        assert await stored.pop_item() == said("2")
        assert len(await stored.store.read(log)) == len(BROKEN) + 1
        assert await stored.pop_item() == said("1")
        assert await stored.pop_item() is None
        assert await stored.store.read(log) == []

    async def test_broken_records_are_reported_once(
        self, stored: StoredSession, caplog: pytest.LogCaptureFixture
    ) -> None:
        await self._plant(stored, b"secret", b"[]")
        await stored.add_items([said("1")])
        with caplog.at_level(logging.WARNING, logger="turnlog"):
            for _ in range(3):
                await stored.get_items()
        log = Log(stored.session_id, stored.branch)
        positions = {record.position for record in (await stored.store.read(log))[:2]}
        assert stored.unreadable == positions
        assert len(caplog.records) == 2
        assert "secret" not in caplog.text

    # Settings

    @pytest.mark.parametrize("settings", [None, {}, {"limit": None}, SessionSettings()], ids=repr)
    async def test_settings_are_never_none(self, stored: StoredSession, settings: Any) -> None:
        stored.session_settings = settings
        assert stored.session_settings == SessionSettings()

    @pytest.mark.parametrize("settings", [{"limit": 2}, SessionSettings(limit=2)], ids=repr)
    async def test_settings_say_how_much_is_read(
        self, stored: StoredSession, settings: Any
    ) -> None:
        items = [said(str(n)) for n in range(5)]
        await stored.add_items(items)
        stored.session_settings = settings
        assert await stored.get_items() == items[-2:]
        assert await stored.get_items(limit=4) == items[-4:]
        assert await stored.get_items(limit=0) == []
        stored.session_settings = None
        assert await stored.get_items() == items

    async def test_settings_may_ask_for_whole_turns(self, stored: StoredSession) -> None:
        question, answer = said("q"), {"role": "assistant", "content": "a"}
        call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
        output = {"type": "function_call_output", "call_id": "c", "output": "seen"}
        turn = [question, call, output, answer]
        await stored.add_items([*turn, *turn, *turn, question])
        stored.session_settings = SessionSettings(max_turns=2)
        assert await stored.get_items() == [*turn, question]
        assert await stored.view() == [*turn, question]
        assert await stored.view(limit=4) == [question]
        assert await stored.get_items(limit=3) == [output, answer, question]

    async def test_a_view_is_explained(self, stored: StoredSession) -> None:
        call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
        await stored.add_items([said("1"), said("2"), call])
        await self._plant(stored, b"not JSON")
        log = Log(stored.session_id, stored.branch)
        first, second, third, broken = (record.position for record in await stored.store.read(log))
        explanation = await stored.explain({"max_turns": 1})
        assert [each.item for each in explanation.shown] == await stored.view(
            settings={"max_turns": 1}
        )
        assert [each.position for each in explanation.shown] == [second, third, None]
        assert [each.position for each in explanation.left_out] == [first, broken]

    async def test_unknown_settings_are_named(self, stored: StoredSession) -> None:
        with pytest.raises(TypeError, match=r"^Unknown session settings: lmit$"):
            stored.session_settings = {"lmit": 2}
        assert stored.session_settings == SessionSettings()

    #: What a negative limit shows; on Redis, where the SDK has it so, it is nothing.
    negative_limit_shows_all = True

    async def test_a_negative_limit(self, stored: StoredSession) -> None:
        items = [said("1"), said("2")]
        await stored.add_items(items)
        shown = await stored.get_items(limit=-1)
        assert shown == (items if self.negative_limit_shows_all else [])

    # Names

    @pytest.mark.parametrize("wrong", [None, 7, b"id"], ids=repr)
    async def test_an_id_that_is_no_text_is_refused(
        self, make_session: Callable[[Any], StoredSession], wrong: object
    ) -> None:
        with pytest.raises(TypeError, match="session_id"):
            make_session(wrong)

    async def test_methods_may_be_replaced_on_an_instance(self, stored: StoredSession) -> None:
        async def get_items(limit: int | None = None) -> list[Item]:
            return [said(f"replaced {limit}")]

        vars(stored)["get_items"] = get_items
        assert await stored.get_items(3) == [said("replaced 3")]
