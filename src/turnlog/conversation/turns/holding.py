"""Open turns: the writes of a run that holds the lease, fenced against runs that lost it."""

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

__all__ = ["OpenTurn", "begin_turn", "inside", "is_within_a_turn", "open_turn_on", "turn_held_by"]


class OpenTurn:
    """The writes of one run on one log.

    Each write expects the log to end where the run last saw it end. If the log ends
    elsewhere, the lease decides. While the run holds it, somebody else has added to the
    conversation, as everybody may, and the write goes behind that. Once another run holds
    it, the write is refused with `LeaseLost`: a run that others believed dead can't write
    into the next turn.

    Each write has a key, so that it can be retried when its acknowledgement was lost.
    """

    def __init__(self, store: Store, log: Log, lease: Lease) -> None:
        self.store = store
        self.log = log
        self.lease = lease
        #: How many runs are part of this turn. The last one to end gives the lease back.
        self.runs = 0
        #: Whether the turn has stored anything yet. If not, its next write is its question.
        self.has_written = False
        self._end: int | None = None
        self._follows = True

    def saw(self, end: int) -> None:
        """The run has read the log up to position `end`."""
        if self._end is None:
            self._end = end

    def popped(self) -> None:
        """The run removed records itself, so where the log ends must be read again."""
        self._end = None

    @contextmanager
    def at_the_end_seen(self) -> Iterator[None]:
        """Within, a write raises `Conflict` if others have added to the log meanwhile.

        For a write that depends on all that the log holds, as a question does.
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
        """Call `delete`, which empties the session; the turn and its lease go on."""
        await self.lease.clear(delete)
        self._end = 0

    async def append(
        self, payloads: Sequence[bytes], key: str | None = None, *, store: Store | None = None
    ) -> None:
        """Put `payloads` at the end of the log, all of them or none.

        key: a name for this write; one is made up for None.
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
                # It may have been written. Then the store knows the key and writes nothing twice.
                if failed is not None:
                    raise failed from None
                failed = error
            else:
                self.has_written = True
                return

    async def _expected(self, failed: Exception | None) -> int:
        """The position at which the log ends, as far as is known, while the lease is held.

        failed: the error of a write that was not acknowledged. It is raised instead of
            `LeaseLost`, which would promise that nothing was written.
        """
        try:
            await self.lease.check()
            if self._end is None:
                records = await self.store.read(self.log, limit=1)
                # In this order: a run that takes the lease after this line either sees what
                # is written next, or has moved the end of the log, which is a conflict.
                await self.lease.confirm()
                self._end = records.positions[-1] if records else 0
        except LeaseLost:
            if failed is not None:
                raise failed from None
            raise
        return self._end

    async def _follow(self, expected: int, actual: int) -> None:
        """Expect the log to end at `actual`, if the turn is still ours."""
        if self._end == expected:  # else it was another task of this very run
            await self.lease.renew()  # raises if another run took over
            self._end = actual


async def begin_turn(
    view: Callable[[], Awaitable[Merged]],
    store: Callable[[list[Item]], Awaitable[None]],
    turn: OpenTurn | None,
) -> list[Item]:
    """Begin a turn: read the `view`, `store` what is new, return what the model is shown.

    If the log has grown between the two, by a late write of an earlier run or by somebody
    else, the view is read again, so that the model never answers an outdated one.
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
    """The turn on `log` that the running task belongs to; None if there is none.

    Tasks and threads that a run starts belong to its turn, so its tools can read and write
    the session freely.
    """
    for turn in _turns.get():
        if turn.log == log and turn.lease.is_open and turn.store.identity == store.identity:
            return turn
    return None


def is_within_a_turn() -> bool:
    """Whether the running task belongs to any turn."""
    return any(turn.lease.is_open for turn in _turns.get())


def turn_held_by(holder: str) -> OpenTurn | None:
    """The open turn with that lease, if the running task belongs to it; else None."""
    for turn in _turns.get():
        if turn.lease.holder == holder and turn.lease.is_open:
            return turn
    return None


@contextmanager
def inside(turn: OpenTurn) -> Iterator[None]:
    """Within, the running task and the tasks and threads that it starts belong to `turn`."""
    _turns.set((*_turns.get(), turn))
    try:
        yield
    finally:
        # Not reset by a token: an asynchronous generator may be closed in another context.
        _turns.set(_without_last(turn, _turns.get()))


def _without_last(turn: OpenTurn, turns: tuple[OpenTurn, ...]) -> tuple[OpenTurn, ...]:
    """`turns` without the innermost entry of `turn`, which may have been entered twice."""
    if turn not in turns:
        return turns
    at = len(turns) - 1 - turns[::-1].index(turn)
    return turns[:at] + turns[at + 1 :]


_turns: ContextVar[tuple[OpenTurn, ...]] = ContextVar("turnlog_open_turns", default=())
