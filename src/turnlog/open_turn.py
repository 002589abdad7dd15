"""A turn under way on a conversation, and the fence around what it writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from turnlog.errors import Conflict
from turnlog.lease import Lease
from turnlog.store import Log, Store

__all__ = ["OpenTurn", "is_within_a_turn", "open_turn_on", "opened", "turn_held_by"]


class OpenTurn:
    """The writes of one run on one log.

    Each goes where the run believes the log to end. If it ends elsewhere, the lease
    tells why: while it is held, somebody added to the conversation beside the run, as
    everybody may, and the write follows that. Once another run has it, the write is
    refused with `LeaseLost`: so a run that was thought dead can't write into the next.
    """

    def __init__(self, store: Store, log: Log, lease: Lease) -> None:
        self.store = store
        self.log = log
        self.lease = lease
        #: How many runs are part of it. The last to end gives the lease back.
        self.runs = 0
        #: Whether anything was written in it, so that all it does from now on is part of it.
        self.has_written = False
        self._end: int | None = None

    def saw(self, end: int) -> None:
        """The run has read the log up to position `end`."""
        if self._end is None:
            self._end = end

    def popped(self) -> None:
        """The run itself removed records: where the log ends now is not known."""
        self._end = None

    async def clear(self, delete: Callable[[], Awaitable[None]]) -> None:
        """`delete` the session; the turn goes on in an empty one."""
        self._end = None
        await self.lease.clear(delete)

    async def append(self, payloads: Sequence[bytes], key: str | None = None) -> None:
        """Put `payloads` at the end of the log, all of them or none.

        Raises `LeaseLost` when another run has taken over; nothing is written then.
        """
        await self.lease.check()
        written = False
        while not written:
            expected = self._end
            try:
                self._end = await self.store.append(self.log, payloads, expect=expected, key=key)
                written = self.has_written = True
            except Conflict as conflict:
                await self._follow(expected, conflict.actual)

    async def _follow(self, expected: int | None, actual: int) -> None:
        """Go on behind what somebody else wrote, if the turn is still ours."""
        if self._end == expected:  # else it was another task of this very run
            await self.lease.renew()
            self._end = actual


def open_turn_on(store: Store, log: Log) -> OpenTurn | None:
    """The turn on `log` that the running task belongs to, if any.

    Tasks and threads that a run starts belong to its turn, so its tools may use the
    session as they like.
    """
    for turn in _turns.get():
        if turn.log == log and turn.lease.is_open and turn.store.place == store.place:
            return turn
    return None


def is_within_a_turn() -> bool:
    """Whether the running task belongs to any turn."""
    return any(turn.lease.is_open for turn in _turns.get())


def turn_held_by(holder: str) -> OpenTurn | None:
    """The turn with that lease, if the running task belongs to it and it isn't over."""
    for turn in _turns.get():
        if turn.lease.holder == holder and turn.lease.is_open:
            return turn
    return None


@contextmanager
def opened(turn: OpenTurn) -> Iterator[None]:
    """Within, the running task and all that it starts belong to `turn`."""
    _turns.set((*_turns.get(), turn))
    try:
        yield
    finally:
        # No token: the end of an asynchronous generator may come in another context.
        turns = list(_turns.get())
        if turn in turns:
            turns.reverse()
            turns.remove(turn)
            turns.reverse()
        _turns.set(tuple(turns))


_turns: ContextVar[tuple[OpenTurn, ...]] = ContextVar("turnlog_open_turns", default=())
