"""A turn under way on a conversation, and the fence around what it writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from secrets import token_hex

from turnlog.conversation.turns.lease import Lease
from turnlog.errors import Conflict, LeaseLost, TurnlogError
from turnlog.items.json import Item
from turnlog.items.merge import Merged
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["OpenTurn", "begun", "is_within_a_turn", "open_turn_on", "opened", "turn_held_by"]


class OpenTurn:
    """The writes of one run on one log.

    Each goes where the run believes the log to end. If it ends elsewhere, the lease
    tells why: while it is held, somebody added to the conversation beside the run, as
    everybody may, and the write follows that. Once another run has it, the write is
    refused with `LeaseLost`: so a run that was thought dead can't write into the next.

    Each has a key, so that it can be tried again when its answer was lost.
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
        self._follows = True

    def saw(self, end: int) -> None:
        """The run has read the log up to position `end`."""
        if self._end is None:
            self._end = end

    def popped(self) -> None:
        """The run itself removed records: where the log ends now is not known."""
        self._end = None

    @contextmanager
    def at_the_end_seen(self) -> Iterator[None]:
        """Within, a write raises `Conflict` where it would follow what others have added.

        For what depends on all that the log holds, as a question does.
        """
        self._follows = False
        try:
            yield
        except Conflict:
            self._end = None  # to be read again
            raise
        finally:
            self._follows = True

    async def clear(self, delete: Callable[[], Awaitable[None]]) -> None:
        """`delete` the session; the turn goes on in an empty one."""
        await self.lease.clear(delete)
        self._end = 0

    async def append(
        self, payloads: Sequence[bytes], key: str | None = None, *, store: Store | None = None
    ) -> None:
        """Put `payloads` at the end of the log, all of them or none.

        store: the handle to write through; the turn's own unless given.

        Raises `LeaseLost` when another run has taken over; nothing is written then.
        """
        store = store or self.store
        # Drawn, not counted: processes that were forked within the turn share all that it counts.
        key = key or f"{self.lease.holder[:16]}/{token_hex(6)}"
        failed: Exception | None = None
        while True:
            expected = await self._expected(failed)
            try:
                self._end = await store.append(self.log, payloads, expect=expected, key=key)
            except Conflict as conflict:
                if not self._follows:
                    raise
                await self._follow(expected, conflict.actual)
            except (TurnlogError, TypeError, ValueError):
                raise
            except Exception as error:  # noqa: BLE001 - raised if it fails again
                # It may have happened. If so, its key tells the store, and nothing is doubled.
                if failed is not None:
                    raise failed from None
                failed = error
            else:
                self.has_written = True
                return

    async def _expected(self, failed: Exception | None) -> int:
        """Where the log ends, as far as is known, while the lease is held.

        failed: why a write was not acknowledged. Then nobody can say that nothing was written.
        """
        try:
            await self.lease.check()
            if self._end is None:
                records = await self.store.read(self.log, limit=1)
                # In this order: who takes the lease after that sees what is written now, or
                # makes this position wrong.
                await self.lease.confirm()
                self._end = records.positions[-1] if records else 0
        except LeaseLost:
            if failed is not None:
                raise failed from None
            raise
        return self._end

    async def _follow(self, expected: int, actual: int) -> None:
        """Go on behind what somebody else wrote, if the turn is still ours."""
        if self._end == expected:  # else it was another task of this very run
            await self.lease.renew()
            self._end = actual


async def begun(
    view: Callable[[], Awaitable[Merged]],
    store: Callable[[list[Item]], Awaitable[None]],
    turn: OpenTurn | None,
) -> list[Item]:
    """Begin a turn: read the `view`, `store` what is new. What a model is shown.

    If the log has grown between the two, by a write of an earlier run that was still on its
    way or by somebody else, the view is read again: no answer is given to an old one.
    """
    merged = await view()
    if not merged.fresh:
        return merged.shown
    if turn is not None and not turn.has_written:
        try:
            with turn.at_the_end_seen():
                await store(merged.fresh)
        except Conflict:
            merged = await view()
        else:
            return merged.shown
    await store(merged.fresh)
    return merged.shown


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
