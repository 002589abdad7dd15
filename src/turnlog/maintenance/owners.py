"""Erasure by owner: the keys of all conversations of one owner are destroyed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from turnlog.conversation.about import About
from turnlog.conversation.opened import problem_of
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.walking import walk

__all__ = ["Destroyed", "destroy_keys_of", "owned_by"]


@dataclass
class Destroyed:
    """Outcome of `destroy_keys_of` for one owner.

    sessions: the ids of the conversations whose keys were destroyed; also those of anybody whose
        destruction was stopped half-way before, and is finished now.
    unknown: conversations of which it is not known whose they are, because their note can't be
        opened; with the problem. Their keys are still there.
    """

    sessions: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)


async def destroy_keys_of(store: Encrypted, owner: str) -> Destroyed:
    """Destroy the data keys of all conversations whose `about().owner` is `owner`.

    It can be stopped and done again: it finishes what was stopped half-way. It finds the
    conversations that are there when it begins: first keep the owner from beginning others.
    """
    done = Destroyed()
    half_done: list[str] = []
    async for session in owned_by(store, owner, done.unknown, half_done):
        if await store.destroy_keys(session):
            done.sessions.append(session)
    for session in half_done:
        if await store.destroy_keys(session):
            done.sessions.append(session)
    return done


async def owned_by(
    store: Encrypted, owner: str, unknown: dict[str, str], destroyed: list[str] | None = None
) -> AsyncIterator[str]:
    """The ids of the conversations of `owner`.

    unknown: gets those of which that can't be known, with the problem.
    destroyed: gets those whose keys were destroyed before; whose they were is not known.
    """
    async for head in walk(store):
        session, problem = head.log.session, problem_of(head.note)
        if problem is None and About.of(head.note).owner == owner:
            yield session
        elif problem is not None and not await store.keys_destroyed(session):
            unknown[session] = problem
        elif problem is not None and destroyed is not None:
            destroyed.append(session)
