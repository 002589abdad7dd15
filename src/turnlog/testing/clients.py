"""Random clients: calls on one session for a check of their outcomes, as `linear` makes it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random

from turnlog.changes import Annotate, Append, Change, Check, Committed, Forget, Key, Remove, Replace
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.linear import PAYLOAD, Call, outcome_of

__all__ = ["client"]


async def client(store: Store, session: str, name: str, calls: int, seed: int) -> list[Call]:
    """Make random calls one after the other, and return them with their outcomes.

    Two clients with equal names use the same keys and notes.
    """
    drawing = _Drawing(Random(seed), name)  # noqa: S311 - the same calls for the same seed
    history: list[Call] = []
    for number in range(calls):
        call = drawing.call(number)
        begin = time.monotonic_ns()
        outcome = await _outcome(_CALLS[call.verb](store, session, call))
        call = call._replace(begin=begin, end=time.monotonic_ns(), outcome=outcome)
        drawing.learn(call)
        history.append(call)
    return history


#: How often each verb is drawn: mostly commits, and all that may happen between them.
_MIX = ["commit"] * 8 + ["delete", "read", "read", "logs"]
#: The payloads of records after they were replaced.
_PAYLOADS = (PAYLOAD, PAYLOAD, b"{1}")
#: The logs of the session.
_NAMES = ("main", ":usage")


class _Drawing:
    """Draws calls, given where the logs end as far as its client knows."""

    def __init__(self, rng: Random, name: str) -> None:
        self._rng = rng
        self._name = name
        self._ends = dict.fromkeys(_NAMES, 0)
        self._notes = dict.fromkeys(_NAMES, b"")

    def call(self, number: int) -> Call:
        rng = self._rng
        verb = rng.choice(_MIX)
        call = Call(verb, 0, 0, None, log=rng.choice(_NAMES))
        if verb == "delete":
            return call._replace(expect=rng.choice([None, self._ends["main"]]))
        if verb != "commit":
            return call
        names = rng.choice([_NAMES, _NAMES[::-1], _NAMES[:1], _NAMES[1:]])
        changes = tuple(self._change(name, number) for name in names)
        key = f"{self._name}{rng.randint(0, number)}" if rng.random() < 0.2 else None
        return call._replace(changes=changes, key=key)

    def _change(self, log: str, number: int) -> Change:
        rng = self._rng
        end = self._ends[log]
        expect = rng.choice([end, end, 0, None])
        cut = None
        match rng.randrange(10):
            case 0:
                return Remove(log, rng.choice([0, end - 1]), rng.choice([None, end]), expect)
            case 1:
                return Annotate(log, b"%d" % number, rng.choice([None, self._notes[log]]))
            case 2:
                return Forget(log, expect)
            case 3:
                return Check(log, end)
            case 4:
                cut = rng.choice([0, end - 1, end])
            case 5:
                old, new = rng.choice(_PAYLOADS), rng.choice(_PAYLOADS)
                return Replace(log, [end], [new], [old], rng.choice([end, None]))
        return Append(log, [PAYLOAD], expect, cut)

    def learn(self, call: Call) -> None:
        """Remember where the logs end, as the outcome of `call` tells."""
        match call.verb, call.outcome:
            case "commit", Committed(positions):
                self._made(call.changes, positions)
            case _, ("conflict", str(log), int(actual)):
                self._ends[log] = actual
            case _, ("conflict", str(log), bytes(note)):
                self._notes[log] = note
            case "delete", None:
                self._ends = dict.fromkeys(_NAMES, 0)
            case "read", ():
                self._ends[call.log] = 0
            case "read", (*_, int(last)):
                self._ends[call.log] = last

    def _made(self, changes: Sequence[Change], positions: Sequence[int]) -> None:
        for change, position in zip(changes, positions, strict=False):  # of a known key, others
            self._ends[change.log] = position
            if isinstance(change, Annotate):
                self._notes[change.log] = change.note


async def _outcome(call: Awaitable[object]) -> object:
    try:
        return await call
    except Conflict as conflict:
        return outcome_of(conflict)


async def _commit(store: Store, session: str, call: Call) -> Committed:
    key = None if call.key is None else Key(call.key)
    return await store.commit(session, call.changes, key=key)


async def _delete(store: Store, session: str, call: Call) -> None:
    await store.delete(session, expect=call.expect)


async def _positions(store: Store, session: str, call: Call) -> tuple[int, ...]:
    return tuple((await store.read(Log(session, call.log))).positions)


async def _logs(store: Store, session: str, _call: Call) -> object:
    heads = await store.logs(session)
    return tuple((head.log.name, head.last, head.length, head.note) for head in heads)


_CALLS: Mapping[str, Callable[[Store, str, Call], Awaitable[object]]] = {
    "commit": _commit,
    "delete": _delete,
    "read": _positions,
    "logs": _logs,
}
