"""How a run reads a session: what the model is shown, and what is to be stored of the input.

Works over any session, also one whose `get_items` knows no `limit`.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable
from typing import NamedTuple

from turnlog.agents.config import RunConfig, SessionInputCallback
from turnlog.items import Item, decode, encode_all
from turnlog.session import Session
from turnlog.settings import SessionSettings

__all__ = ["Recall", "input_items", "recall"]


class Recall(NamedTuple):
    """The two halves of a run's beginning."""

    #: What the model is shown.
    shown: list[Item]
    #: What of it is new to the session, in order.
    fresh: list[Item]


def input_items(given: str | Iterable[object]) -> list[Item]:
    """The new input as items, checked and apart from what the caller holds."""
    if isinstance(given, str):
        return [{"content": given, "role": "user"}]
    return [decode(payload) for payload in encode_all(given)]


async def recall(session: Session | None, new: list[Item], config: RunConfig) -> Recall:
    """Read the session and merge it with the new input.

    A retry is recognised: input that the session already ends with, unanswered, is shown
    once and not stored again. Once answered, the same words are a new question.
    """
    if session is None:
        return Recall(new, new)
    limit = _limit(session, config)
    history = await _newest(session, limit)
    if await _awaits_answer(session, limit, history, new):
        merged = await _merge(history[: -len(new)], new, config.session_input_callback)
        return Recall(merged.shown, [])
    return await _merge(history, new, config.session_input_callback)


def _limit(session: Session, config: RunConfig) -> int | None:
    own = getattr(session, "session_settings", None)
    return SessionSettings.of(own).resolve(config.session_settings).limit


async def _newest(session: Session, limit: int | None) -> list[Item]:
    if limit is None:
        return await session.get_items()
    if _takes_limit(session):
        return await session.get_items(limit=limit)
    items = await session.get_items()
    return items[max(0, len(items) - limit) :]


def _takes_limit(session: Session) -> bool:
    parameters = inspect.signature(session.get_items).parameters.values()
    return any(p.name == "limit" or p.kind is p.VAR_KEYWORD for p in parameters)


async def _awaits_answer(
    session: Session, limit: int | None, history: list[Item], new: list[Item]
) -> bool:
    """Whether the session ends with just this input."""
    if not new:
        return False
    if limit is not None and 0 <= limit < len(new):
        history = await _newest(session, len(new))  # more than is shown, but enough to tell
    return history[-len(new) :] == new


async def _merge(
    history: list[Item], new: list[Item], callback: SessionInputCallback | None
) -> Recall:
    if callback is None:
        return Recall([*history, *new], new)
    old_copies, new_copies = copy.deepcopy(history), copy.deepcopy(new)
    # The callback may empty the lists that it is given; these keep what was in them.
    old_objects, new_objects = list(old_copies), list(new_copies)
    merged: object = callback(old_copies, new_copies)
    if inspect.isawaitable(merged):
        merged = await merged
    if not isinstance(merged, list):
        raise TypeError(
            f"session_input_callback returns a list of items, not {type(merged).__name__}"
        )
    return Recall(merged, _of_new_turn(merged, old_objects, new_objects))


def _of_new_turn(merged: list[Item], old: list[Item], new: list[Item]) -> list[Item]:
    """What of `merged` belongs to the new turn, told apart by identity.

    Content can't tell: people say "yes" twice. It is asked only where the callback made an
    item of its own, which then may be a history item built anew.
    """
    old_ids, new_ids = set(map(id, old)), set(map(id, new))
    return [
        item
        for item in merged
        if id(item) in new_ids or (id(item) not in old_ids and item not in old)
    ]
