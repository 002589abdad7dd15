"""Session policies: what a run does when another run is under way on the same branch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeVar, get_args
from uuid import uuid4

from turnlog.conversation.branches import OnBranch, fork
from turnlog.conversation.turns.endings import Endings
from turnlog.conversation.turns.holding import OpenTurn, inside, is_within_a_turn, turn_held_by
from turnlog.conversation.turns.lease import LEASE_SECONDS, Lease, Policy
from turnlog.errors import SessionBusy, StoreClosed
from turnlog.items.json import Item, decode_all
from turnlog.items.kinds import is_question
from turnlog.items.turns import settled
from turnlog.loops.arrival import in_order_of_arrival
from turnlog.loops.finishing import finished
from turnlog.records import Log, Records
from turnlog.store import Store

__all__ = ["check_policy", "turn_taken"]

S = TypeVar("S", bound=OnBranch)


def check_policy(policy: object) -> None:
    """Raise `ValueError` for a value that is not a policy."""
    if policy not in get_args(Policy):
        known = ", ".join(map(repr, get_args(Policy)))
        raise ValueError(f"session_policy is {policy!r}; it must be one of {known}")


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
    async with _first_to_queue(session, policy):
        taken = await _turn_on(session, policy, seconds)
    session, turn, is_new = taken
    async with _part_of(turn):
        with inside(turn) if is_new else nullcontext():
            yield session


def _first_to_queue(session: OnBranch, policy: Policy) -> AbstractAsyncContextManager[None]:
    """Within, all runs of this event loop that came earlier have taken the lease.

    A run that is part of a turn already doesn't wait here: those that do may wait for its end.
    """
    if policy != "queue" or is_within_a_turn():
        return nullcontext()
    return in_order_of_arrival((session.store.identity, session.session_id, session.branch))


async def _turn_on(session: S, policy: Policy, seconds: float) -> tuple[S, OpenTurn, bool]:
    """The session to use, its turn, and whether that is a new one or the one around."""
    log = Log(session.session_id, session.branch)
    lease = Lease(session.store, log, seconds=seconds)
    holder = await lease.take(in_order=policy == "queue")
    around = turn_held_by(holder) if holder is not None else None
    if around is not None:
        return session, around, False
    if holder is not None and policy == "reject":
        raise SessionBusy(log)
    if holder is not None and policy == "branch":
        session = await fork(session, f"run-{uuid4().hex[:12]}", await _last_settled(session))
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


async def _last_settled(session: OnBranch) -> int:
    """The position of the last record that belongs to a turn which is over."""
    log = Log(session.session_id, session.branch)
    records, items = await _from_last_question(session.store, log)
    ended = await Endings(session.store, log).newest()
    kept = settled(items, bisect_right(records.positions, ended))
    if kept < len(records):
        return records.positions[kept] - 1
    return records.positions[-1] if records else 0


async def _from_last_question(store: Store, log: Log) -> tuple[Records, list[Item | None]]:
    """The newest records, back to a user's message at least, and their items."""
    limit = 16
    while True:
        records = await store.read(log, limit=limit)
        items = decode_all(records.payloads)
        if len(records) < limit or any(item and is_question(item) for item in items):
            return records, items
        limit *= 4
