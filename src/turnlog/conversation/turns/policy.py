"""What a run does when another one is under way on the same conversation."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Protocol, TypeVar, get_args
from uuid import uuid4

from turnlog.conversation.reading.endings import Endings
from turnlog.conversation.turns.holding import OpenTurn, is_within_a_turn, opened, turn_held_by
from turnlog.conversation.turns.lease import LEASE_SECONDS, Lease, Policy
from turnlog.errors import SessionBusy, StoreClosed
from turnlog.items.json import decode_all, encode
from turnlog.items.turns import settled
from turnlog.loops.finishing import finished
from turnlog.loops.line import first_in_line
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["check_policy", "turn_taken"]


class _OnALog(Protocol):
    """A session, as far as it matters here."""

    session_id: str
    branch: str
    store: Store
    closed: bool


S = TypeVar("S", bound=_OnALog)


def check_policy(policy: object) -> None:
    """Raise `ValueError` for what is no policy."""
    if policy not in get_args(Policy):
        known = ", ".join(map(repr, get_args(Policy)))
        raise ValueError(f"session_policy is {policy!r}; there are {known}")


@asynccontextmanager
async def turn_taken(
    session: S, policy: Policy = "queue", *, seconds: float = LEASE_SECONDS
) -> AsyncIterator[S]:
    """Within, no other run writes to the session.

    Yields the session to use: `session` itself, or with the policy "branch" and another
    run under way, one on a new branch, which holds all turns but the one under way.

    A run inside a run on the same conversation, such as a tool that asks another agent,
    is part of the outer one.

    Raises `SessionBusy` with the policy "reject", before anything is written.
    """
    check_policy(policy)
    if session.closed:
        raise StoreClosed(type(session).__name__)
    if policy == "off":
        yield session
        return
    async with _place_in_line(session, policy):
        taken = await _turn_on(session, policy, seconds)
    session, turn, is_new = taken
    async with _part_of(turn):
        with opened(turn) if is_new else nullcontext():
            yield session


def _place_in_line(session: _OnALog, policy: Policy) -> AbstractAsyncContextManager[None]:
    """Those who queue come in the order in which they came.

    Whoever is part of a turn already doesn't line up: those before him may wait for him.
    """
    if policy != "queue" or is_within_a_turn():
        return nullcontext()
    return first_in_line((session.store.place, session.session_id, session.branch))


async def _turn_on(session: S, policy: Policy, seconds: float) -> tuple[S, OpenTurn, bool]:
    """The session to use, its turn, and whether that is a new one or the one around."""
    log = Log(session.session_id, session.branch)
    lease = Lease(session.store, log, seconds=seconds)
    holder = await lease.take(in_turn=policy == "queue")
    around = turn_held_by(holder) if holder is not None else None
    if around is not None:
        return session, around, False
    if holder is not None and policy == "reject":
        raise SessionBusy(log)
    if holder is not None and policy == "branch":
        session = await _on_a_new_branch(session)
        log = Log(session.session_id, session.branch)
        lease = Lease(session.store, log, seconds=seconds)
    if holder is not None:
        await lease.queue()
    return session, OpenTurn(session.store, log, lease), True


@asynccontextmanager
async def _part_of(turn: OpenTurn) -> AsyncIterator[None]:
    """Within, the turn's lease is held, also when the run that took it has ended."""
    turn.runs += 1
    try:
        yield
    finally:
        turn.runs -= 1
        if turn.runs == 0:
            await finished(turn.lease.give_back())


async def _on_a_new_branch(session: S) -> S:
    """The same kind of session, on a copy of all turns but the one under way."""
    source = Log(session.session_id, session.branch)
    target = Log(session.session_id, f"run-{uuid4().hex[:12]}")
    records = await session.store.read(source)
    items = decode_all(records.payloads)
    ended = await Endings(session.store, source).newest()
    kept = records[: settled(items, bisect_right(records.positions, ended))]
    last = await session.store.append(target, kept.payloads, expect=0)
    if ended:
        await Endings(session.store, target).mark(last)
    origin = {"branch": source.name, "position": kept.positions[-1] if kept else 0}
    await session.store.annotate(target, encode({"forked_from": origin}))
    fork = copy.copy(session)
    fork.branch = target.name
    return fork
