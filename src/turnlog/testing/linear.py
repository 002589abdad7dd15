"""Linearizability: a check whether calls that overlapped could have happened one after another.

A history is a list of calls on one log, each with its begin, its end and its outcome. It is
linearizable if every call can be given a moment between its begin and its end so that, in the
order of those moments, a log in memory gives the same outcomes. The search is the algorithm of
Wing and Gong; states that were tried before are skipped.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple

from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Call", "client", "is_linearizable"]


class Call(NamedTuple):
    """One call on the log, with its begin and end in nanoseconds of one clock."""

    verb: str
    begin: int
    end: int
    expect: int | None
    key: str | None
    #: A position, a count, all positions, what the head says, or ("conflict", actual).
    outcome: object


class _State(NamedTuple):
    """A log as a store should keep it."""

    positions: tuple[int, ...] = ()
    keys: tuple[tuple[str, int], ...] = ()
    note: bytes = b""
    exists: bool = False
    #: The greatest position so far, also of what was deleted.
    newest: int = 0

    @property
    def last(self) -> int:
        return self.positions[-1] if self.positions else 0


def is_linearizable(history: Sequence[Call]) -> bool:
    """Whether the outcomes fit some order of the calls that respects their begins and ends."""
    calls = sorted(history, key=lambda call: call.begin)
    tried: set[tuple[int, _State]] = set()
    waiting = [(0, _State())]
    while waiting:
        done, state = waiting.pop()
        if done == (1 << len(calls)) - 1:
            return True
        if (done, state) not in tried:
            tried.add((done, state))
            waiting += _steps(calls, done, state)
    return False


def _steps(calls: list[Call], done: int, state: _State) -> Iterator[tuple[int, _State]]:
    """The calls that may come next: those that began before any remaining call had ended."""
    left = [n for n in range(len(calls)) if not done >> n & 1]
    first_end = min(calls[n].end for n in left)
    for n in left:
        if calls[n].begin > first_end:
            return
        after = _after(state, calls[n])
        if after is not None:
            yield done | 1 << n, after


def _after(state: _State, call: Call) -> _State | None:
    """The log after `call`, or None if the call could not have had its outcome there."""
    return _RULES[call.verb](state, call)


def _appended(state: _State, call: Call) -> _State | None:
    known = dict(state.keys).get(call.key or "")
    if known is not None:
        return state if call.outcome == known else None
    if call.expect is not None and call.expect != state.last:
        return state if call.outcome == ("conflict", state.last) else None
    position = call.outcome
    if not isinstance(position, int) or position <= state.newest:
        return None
    keys = state.keys if call.key is None else (*state.keys, (call.key, position))
    return state._replace(
        positions=(*state.positions, position), keys=keys, exists=True, newest=position
    )


def _removed(state: _State, call: Call) -> _State | None:
    if call.expect is not None and call.expect != state.last:
        return state if call.outcome == ("conflict", state.last) else None
    return state._replace(positions=()) if call.outcome == len(state.positions) else None


def _deleted(state: _State, _call: Call) -> _State:
    return _State(newest=state.newest)


def _annotated(state: _State, call: Call) -> _State:
    return state._replace(note=(call.key or "").encode(), exists=True)


def _read(state: _State, call: Call) -> _State | None:
    return state if call.outcome == state.positions else None


def _told(state: _State, call: Call) -> _State | None:
    head = (state.last, len(state.positions), state.note) if state.exists else None
    return state if call.outcome == head else None


_RULES: dict[str, Callable[[_State, Call], _State | None]] = {
    "append": _appended,
    "remove": _removed,
    "delete": _deleted,
    "delete all": _deleted,
    "annotate": _annotated,
    "read": _read,
    "head": _told,
}


async def client(store: Store, log: Log, name: str, calls: int, seed: int) -> list[Call]:
    """Do some calls one after the other, as chance has it, and tell how they went.

    Two clients with equal names use the same keys and notes.
    """
    rng = Random(seed)  # noqa: S311 - the same calls for the same seed
    history: list[Call] = []
    end = 0
    for number in range(calls):
        verb = rng.choice(_MIX)
        expect = rng.choice([end, end, 0, None]) if verb in {"append", "remove"} else None
        key = f"{name}{rng.randint(0, number)}" if _is_named(verb, rng) else None
        begin = time.monotonic_ns()
        outcome = await _outcome(_CALLS[verb](store, log, expect, key))
        history.append(Call(verb, begin, time.monotonic_ns(), expect, key, outcome))
        end = _end_after(verb, outcome, end)
    return history


#: How often each verb is drawn: mostly appends, and all that may happen between them.
_MIX = ["append"] * 6 + ["delete"] * 2 + ["delete all", "remove", "annotate", "read", "head"]


def _is_named(verb: str, rng: Random) -> bool:
    return verb == "annotate" or (verb == "append" and rng.random() < 0.2)


async def _outcome(call: Awaitable[object]) -> object:
    try:
        return await call
    except Conflict as conflict:
        return "conflict", conflict.actual


def _end_after(verb: str, outcome: object, end: int) -> int:
    """The end of the log as far as this client knows."""
    match verb, outcome:
        case "append", int(position):
            return position
        case _, ("conflict", int(actual)):
            return actual
        case "read", (*_, int(last)):
            return last
        case (("delete" | "delete all" | "remove" | "read"), _):
            return 0
    return end


async def _append(store: Store, log: Log, expect: int | None, key: str | None) -> object:
    return await store.append(log, [b"{}"], expect=expect, key=key)


async def _remove(store: Store, log: Log, expect: int | None, _key: str | None) -> object:
    return await store.remove(log, expect=expect)


async def _delete(store: Store, log: Log, _expect: int | None, _key: str | None) -> None:
    await store.delete(log.session, log.name)


async def _delete_all(store: Store, log: Log, _expect: int | None, _key: str | None) -> None:
    await store.delete(log.session)


async def _annotate(store: Store, log: Log, _expect: int | None, key: str | None) -> None:
    await store.annotate(log, (key or "").encode())


async def _positions(store: Store, log: Log, _expect: int | None, _key: str | None) -> object:
    return tuple((await store.read(log)).positions)


async def _head(store: Store, log: Log, _expect: int | None, _key: str | None) -> object:
    heads = {head.log: head for head in await store.logs(log.session)}
    head = heads.get(log)
    return None if head is None else (head.last, head.length, head.note)


_CALLS: dict[str, Callable[[Store, Log, int | None, str | None], Awaitable[object]]] = {
    "append": _append,
    "remove": _remove,
    "delete": _delete,
    "delete all": _delete_all,
    "annotate": _annotate,
    "read": _positions,
    "head": _head,
}
