"""Linearizability: a check whether calls that overlapped could have happened one after another.

A history is a list of calls on one session, each with its begin, its end and its outcome. It is
linearizable if every call can be given a moment between its begin and its end so that, in the
order of those moments, a session in memory gives the same outcomes. The search is the algorithm
of Wing and Gong; states that were tried before are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from turnlog.changes import (
    Annotate,
    Append,
    Change,
    Check,
    Committed,
    Forget,
    Key,
    Remove,
    Replace,
    check_conditions,
    makes_session,
    writes,
)
from turnlog.errors import Conflict, RecordChanged

__all__ = ["PAYLOAD", "Call", "is_linearizable", "outcome_of"]

#: The payload of every record when it is added.
PAYLOAD = b"{}"


class Call(NamedTuple):
    """One call on the session, with its begin and end in nanoseconds of one clock."""

    #: "commit", "delete", "read" or "logs".
    verb: str
    begin: int
    end: int
    #: `Committed`, all positions of the log, what the heads say, ("conflict", log, actual), or
    #: ("changed", log, position, is_gone).
    outcome: object
    #: What a commit does. Its appends have one payload each, `PAYLOAD`.
    changes: tuple[Change, ...] = ()
    key: str | None = None
    #: The name of the log that a read reads.
    log: str = "main"
    #: Of a delete.
    expect: int | None = None


class _Kept(NamedTuple):
    """A log as a store should keep it."""

    positions: tuple[int, ...] = ()
    note: bytes = b""
    #: The payloads of records that were replaced, by position.
    replaced: tuple[tuple[int, bytes], ...] = ()

    @property
    def last(self) -> int:
        return self.positions[-1] if self.positions else 0

    def payload(self, position: int) -> bytes | None:
        """The payload of a record; None if there is no such record."""
        if position not in self.positions:
            return None
        return dict(self.replaced).get(position, PAYLOAD)

    def replace(self, change: Replace) -> _Kept:
        """The log with the new payloads of `change`."""
        new = zip(change.positions, change.payloads, strict=True)
        return self._replace(replaced=tuple(sorted((dict(self.replaced) | dict(new)).items())))


_Logs: TypeAlias = dict[str, _Kept]


class _State(NamedTuple):
    """A session as a store should keep it. It exists if it has logs."""

    logs: tuple[tuple[str, _Kept], ...] = ()
    #: Each with the positions that its commit returned.
    keys: tuple[tuple[str, tuple[int, ...]], ...] = ()
    #: The greatest position that each log has ever had.
    newest: tuple[tuple[str, int], ...] = ()


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


def outcome_of(conflict: Conflict) -> object:
    """A conflict as the outcome of a call."""
    if isinstance(conflict, RecordChanged):
        return "changed", conflict.log.name, conflict.position, conflict.is_gone
    return "conflict", conflict.log.name, conflict.actual


def _steps(calls: list[Call], done: int, state: _State) -> Iterator[tuple[int, _State]]:
    """The calls that may come next: those that began before any remaining call had ended."""
    left = [n for n in range(len(calls)) if not done >> n & 1]
    first_end = min(calls[n].end for n in left)
    for n in left:
        if calls[n].begin > first_end:
            return
        after = _RULES[calls[n].verb](state, calls[n])
        if after is not None:
            yield done | 1 << n, after


# Each rule returns the session after the call, or None if the call could not have had its outcome.


def _committed(state: _State, call: Call) -> _State | None:
    known = dict(state.keys).get(call.key or "")
    if known is not None:
        return state if call.outcome == Committed(known, replayed=True) else None
    logs = dict(state.logs)
    conflict = _conflict(call.changes, logs)
    if conflict is not None:
        return state if call.outcome == conflict else None
    if not isinstance(call.outcome, Committed) or call.outcome.replayed:
        return None
    return _changed(state, logs, call, call.outcome.positions)


def _changed(state: _State, logs: _Logs, call: Call, positions: tuple[int, ...]) -> _State | None:
    key = None if call.key is None else Key(call.key)
    if makes_session(call.changes, key):
        logs.setdefault("main", _Kept())
    newest = dict(state.newest)
    for change, position in zip(call.changes, positions, strict=True):
        if isinstance(change, Append):
            if position <= newest.get(change.log, 0):
                return None
            newest[change.log] = position
        _make(change, logs, position)
    if positions != Committed.at(call.changes, _ends(logs)).positions:
        return None
    keys = (*state.keys, (key.name, positions)) if key and writes(call.changes) else state.keys
    return _State(tuple(sorted(logs.items())), keys, tuple(sorted(newest.items())))


def _make(change: Change, logs: _Logs, position: int) -> None:
    """Make one change, whose condition holds, in `logs`."""
    kept = logs.get(change.log, _Kept())
    left = kept.positions
    match change:
        case Append(cut=cut):
            left = tuple(p for p in left if cut is None or p <= cut)
            logs[change.log] = kept._replace(positions=(*left, position))
        case Remove(after=after, before=before) if change.log in logs:
            left = tuple(p for p in left if p <= after or (before is not None and p >= before))
            logs[change.log] = kept._replace(positions=left)
        case Annotate(note=note):
            logs[change.log] = kept._replace(note=note)
        case Replace(positions=[*_, _]):
            logs[change.log] = kept.replace(change)
        case Forget() if change.log == "main" and logs:
            logs["main"] = _Kept()
        case Forget():
            logs.pop(change.log, None)


def _conflict(changes: Sequence[Change], logs: _Logs) -> object:
    notes = {name: kept.note for name, kept in logs.items()}

    def payloads(change: Replace) -> list[bytes | None]:
        kept = logs.get(change.log, _Kept())
        return [kept.payload(at) for at in change.positions]

    try:
        check_conditions("", changes, _ends(logs), notes, payloads)
    except Conflict as conflict:
        return outcome_of(conflict)
    return None


def _ends(logs: _Logs) -> dict[str, int]:
    return {name: kept.last for name, kept in logs.items()}


def _deleted(state: _State, call: Call) -> _State | None:
    if call.expect is not None:
        conflict = _conflict([Check("main", call.expect)], dict(state.logs))
        if conflict is not None:
            return state if call.outcome == conflict else None
    return _State(newest=state.newest) if call.outcome is None else None


def _read(state: _State, call: Call) -> _State | None:
    kept = dict(state.logs).get(call.log, _Kept())
    return state if call.outcome == kept.positions else None


def _listed(state: _State, call: Call) -> _State | None:
    heads = [(name, kept.last, len(kept.positions), kept.note) for name, kept in state.logs]
    return state if call.outcome == tuple(heads) else None


_RULES: Mapping[str, Callable[[_State, Call], _State | None]] = {
    "commit": _committed,
    "delete": _deleted,
    "read": _read,
    "logs": _listed,
}
