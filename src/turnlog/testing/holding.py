"""Promises of every session over a store: held for another library's runner, as a test class."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

import pytest

from turnlog.conversation.session import StoredSession
from turnlog.conversation.turns.policy import Policy
from turnlog.errors import LeaseLost, SessionBusy
from turnlog.items.json import Item
from turnlog.testing.conversation import said

__all__ = ["HeldTests"]

CALL: Item = {"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"}
OUTPUT: Item = {"type": "function_call_output", "call_id": "1", "output": "seen"}
NOTE: Item = {"role": "system", "content": "It is Monday."}


def _answer(text: str) -> Item:
    return {"role": "assistant", "content": text}


async def _apart(work: Coroutine[Any, Any, Any]) -> Any:
    """Run `work` as a task that belongs to no block."""
    return await asyncio.get_running_loop().create_task(work, context=Context())


async def _ran(session: StoredSession, text: str, answer: Item | Exception) -> list[Item]:
    """What another library's runner does: read, store the input, ask, store the answer.

    Returns what the model was shown.
    """
    shown = [*await session.get_items(), said(text)]
    await session.add_items([said(text)])
    if isinstance(answer, Exception):
        raise answer
    await session.add_items([answer])
    return shown


async def _held_run(
    session: StoredSession, text: str, answer: Item | Exception, key: str | None = None
) -> list[Item]:
    async with session.held(key=key) as held:
        return await _ran(held.session, text, answer)


class HeldTests:
    """Promises about held blocks; `StoredSessionTests` includes them."""

    @pytest.mark.parametrize("key", [None, "request 1"])
    async def test_held_a_question_that_was_left_is_taken_up(
        self, stored: StoredSession, key: str | None
    ) -> None:
        await _held_run(stored, "zero", _answer("0"))
        for _ in range(2):
            with pytest.raises(OSError, match="no model"):
                await _held_run(stored, "one", OSError("no model"), key)
        before = [said("zero"), _answer("0")]
        assert await _held_run(stored, "one", _answer("1"), key) == [*before, said("one")]
        assert await stored.get_items() == [*before, said("one"), _answer("1")]

    async def test_held_work_that_was_left_is_not_shown_and_stays(
        self, stored: StoredSession
    ) -> None:
        left = [said("one"), CALL, OUTPUT, NOTE, CALL]
        await stored.add_items([said("zero"), _answer("0"), *left])
        async with stored.held():
            shown = [said("zero"), _answer("0"), NOTE]
            assert await stored.get_items() == shown
            assert await stored.get_items(2) == shown[1:]
            assert await stored.get_items(0) == []
            assert await stored.history() == [said("zero"), _answer("0"), *left]
            await stored.add_items([NOTE])
            assert await stored.get_items() == [*shown, NOTE]
            await stored.add_items([said("one")])
            assert await stored.get_items() == [said("zero"), _answer("0"), *left, NOTE]

    async def test_held_the_same_words_are_a_new_question_once_answered(
        self, stored: StoredSession
    ) -> None:
        for _ in range(2):
            await _held_run(stored, "yes", _answer("ok"))
        assert await stored.get_items() == [said("yes"), _answer("ok")] * 2

    async def test_held_a_key_is_asked_and_answered_once(self, stored: StoredSession) -> None:
        await _held_run(stored, "one", _answer("1"), "request 1")
        await _held_run(stored, "two", _answer("2"))
        async with stored.held(key="request 1") as held:
            assert held.is_replay
            assert (held.answer, held.text) == ([_answer("1")], "1")
            with pytest.raises(ValueError, match="was answered before"):
                await stored.add_items([said("one")])
        async with stored.held(key="request 2") as held:
            assert not held.is_replay
            assert (held.answer, held.text) == (None, "")
        assert len(await stored.get_items()) == 4

    async def test_held_a_key_with_another_input_is_refused(self, stored: StoredSession) -> None:
        with pytest.raises(OSError, match="no model"):
            await _held_run(stored, "one", OSError("no model"), "request 1")
        with pytest.raises(ValueError, match="own key"):
            await _held_run(stored, "something else", _answer("1"), "request 1")
        assert await stored.get_items() == [said("one")]
        await _held_run(stored, "one", _answer("1"), "request 1")

    async def test_held_a_request_that_is_sent_twice_at_once(self, stored: StoredSession) -> None:
        async def request() -> tuple[bool, str]:
            async with stored.held(key="request 1") as held:
                if not held.is_replay:
                    await _ran(held.session, "one", _answer("1"))
                    return False, "1"
                return True, held.text

        done = await asyncio.gather(*(_apart(request()) for _ in range(3)))
        assert sorted(done) == [(False, "1"), (True, "1"), (True, "1")]
        assert await stored.get_items() == [said("one"), _answer("1")]

    async def test_held_others_wait_or_are_refused(self, stored: StoredSession) -> None:
        async with stored.held():
            waiting = asyncio.ensure_future(_apart(_held_run(stored, "two", _answer("2"))))
            with pytest.raises(SessionBusy):
                await _apart(_entered(stored, "reject"))
            await _ran(stored, "one", _answer("1"))
        assert await waiting == [said("one"), _answer("1"), said("two")]

    async def test_held_on_a_branch_of_its_own(self, stored: StoredSession) -> None:
        async with stored.held():
            await stored.add_items([said("one")])
            branch = await _apart(_entered(stored, "branch"))
            await stored.add_items([_answer("1")])
        other = branch.session
        assert other.branch != stored.branch
        async with other.held(policy="reject"):
            assert await _ran(other, "else", _answer("2")) == [said("else")]

    async def test_held_a_block_that_lost_its_session_stores_no_more(
        self, stored: StoredSession
    ) -> None:
        async with stored.held():
            await stored.add_items([said("one")])
            await _apart(stored.clear_session())
            with pytest.raises(LeaseLost):
                await stored.add_items([_answer("late")])
        assert await stored.get_items() == []

    async def test_held_a_task_that_is_late_stores_nothing(self, stored: StoredSession) -> None:
        left = asyncio.Event()

        async def late() -> None:
            await left.wait()
            await stored.add_items([_answer("late")])

        async with stored.held():
            await stored.add_items([said("one")])
            task = asyncio.create_task(late())
            await stored.add_items([_answer("1")])
        left.set()
        with pytest.raises(LeaseLost, match="has ended"):
            await task
        assert await stored.get_items() == [said("one"), _answer("1")]


async def _entered(session: StoredSession, policy: Policy) -> Any:
    async with session.held(policy) as held:
        return held
