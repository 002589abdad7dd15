"""Promises of every session over a store: turns that were cancelled anywhere, as a test class."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from turnlog.conversation.session import StoredSession
from turnlog.items.json import Item
from turnlog.testing.conversation import said
from turnlog.testing.promises.cancelling import cancelled_at

__all__ = ["CancelledTurnTests"]

#: Asks the second argument on a session, under itself as the key, unless that was answered.
Ask = Callable[[StoredSession, str], Coroutine[Any, Any, None]]


def _answer(text: str) -> Item:
    return {"role": "assistant", "content": f"answer to {text}"}


async def _in_turn(session: StoredSession, text: str) -> None:
    async with session.turn(text, key=text, policy="reject") as turn:
        if turn.answer is None:
            await turn.add([_answer(text)])


async def _in_held_block(session: StoredSession, text: str) -> None:
    """As another library's runner does it."""
    async with session.held("reject", key=text) as held:
        if not held.is_replay:
            assert said(text) not in await held.session.get_items()
            await held.session.add_items([said(text)])
            await held.session.add_items([_answer(text)])


def _steps() -> Iterator[int]:
    """The steps at which work is cancelled: each of the first ones, then some of the others."""
    step = 1
    while True:
        yield step
        step += 1 + step // 8


class CancelledTurnTests:
    """Promises about cancellation; `StoredSessionTests` includes them.

    The policy "reject" shows that what was cancelled has given the session back.
    """

    @pytest.mark.parametrize("ask", [_in_turn, _in_held_block], ids=["turn", "held"])
    async def test_cancelled_at_any_step_and_retried_it_is_asked_and_answered_once(
        self, stored: StoredSession, ask: Ask
    ) -> None:
        expected: list[Item] = []
        for step in _steps():
            text = f"question {step}"
            was_cancelled = not await cancelled_at(step, ask(stored, text))
            await ask(stored, text)
            expected += [said(text), _answer(text)]
            assert await stored.get_items() == expected
            if not was_cancelled:
                break
