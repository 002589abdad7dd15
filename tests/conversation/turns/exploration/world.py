"""World: runs whose calls of a store in memory are made one at a time, as a scheduler picks them.

An actor is one run of one process, or its renewal. What it does next follows from the answers that
it got, so the state of the world is the store and the answers of each actor. Names, keys and
times are fixed. Whether a claim has expired is a choice, so it may happen at any moment, for
every clock and every pause.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pytest

from tests.conversation.turns.exploration.explorer import Choices
from turnlog import LeaseLost, SessionBusy, StoreClosed
from turnlog.conversation.turns import beginning, forking, lease, open_turn, waiting
from turnlog.conversation.turns.claims import Claim
from turnlog.conversation.turns.lease import Lease
from turnlog.conversation.turns.taking import Taking
from turnlog.records import Records
from turnlog.store import Call, Layer
from turnlog.stores.memory import MemoryStore

__all__ = ["Actor", "Budget", "World", "fixed"]

T = TypeVar("T")


@dataclass(frozen=True)
class Budget:
    """How often a fault may happen in one execution."""

    #: Processes that end at any moment.
    crashes: int = 0
    #: Commits whose answer is lost, whether they happened or not.
    losses: int = 0
    #: Claims of runs that live, which another run believes to have expired.
    takeovers: int = 0
    #: Renewals.
    renewals: int = 0


@dataclass
class Actor:
    """One run in a process of its own."""

    name: str
    #: The call that it waits for; None while it runs, and once it has ended.
    pending: "Pending | None" = None
    #: A digest of all answers that it got.
    history: int = 0
    is_dead: bool = False
    #: How it ended: "done", or the name of an error.
    outcome: str = ""
    #: What was there of the lease and the queue when it last looked.
    seen: Hashable = None
    #: How many names it has drawn.
    number: int = 0
    is_hasty: bool = False
    #: Whether it is a renewal, and not a run.
    is_renewal: bool = False

    def draw(self) -> int:
        self.number += 1
        return self.number

    def learned(self, answer: object) -> None:
        self.history = hash((self.history, answer))


@dataclass
class Pending:
    """A call that waits to be made."""

    label: str
    is_commit: bool
    future: asyncio.Future[str]


current: ContextVar["Actor"] = ContextVar("actor")
worlds: ContextVar["World"] = ContextVar("world")


class Scheduled(Layer):
    """Holds each call back until the scheduler says how it goes."""

    def __init__(self, world: "World") -> None:
        super().__init__(MemoryStore())
        self._world = world

    async def around(self, call: Call[T]) -> T:
        if self._world.is_over:
            raise StoreClosed("the world")
        actor = current.get()
        how = await self._world.turn_of(actor, f"{call.verb}{call.args}", call.verb == "commit")
        return await self._made(call, actor, how)

    async def _made(self, call: Call[T], actor: Actor, how: str) -> T:
        if call.verb == "read" and ":lease" in str(call.args[0]):
            actor.seen = self._world._waited_for()
        if how == "refused":
            actor.learned(how)
            raise OSError(how)
        try:
            result = await call()
        except Exception as error:
            actor.learned(repr(error))
            raise
        if how == "lost":
            actor.learned(how)
            raise OSError(how)
        actor.learned(repr(list(result) if isinstance(result, Records) else result))
        return result


class World:
    """Actors over one store, and the faults that may still happen."""

    def __init__(self, choices: Choices, budget: Budget) -> None:
        self.choices = choices
        self.store = Scheduled(self)
        self.actors: list[Actor] = []
        self.leases: list[tuple[Actor, Lease]] = []
        self.is_over = False
        self._trace: list[str] = []
        self._version = 0
        self._waited: list[Any] = []
        self._left = dict(vars(budget))
        self._tasks: list[asyncio.Task[None]] = []

    # Actors

    def begin(self, name: str, work: Callable[[], Coroutine[Any, Any, object]]) -> Actor:
        """Start an actor."""
        actor = Actor(name)
        self.actors.append(actor)
        token = current.set(actor)
        try:
            self._tasks.append(asyncio.ensure_future(self._live(actor, work)))
        finally:
            current.reset(token)
        return actor

    async def _live(self, actor: Actor, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            await work()
        except (LeaseLost, SessionBusy, OSError) as error:
            actor.outcome = type(error).__name__
        else:
            actor.outcome = "done"

    async def turn_of(self, actor: Actor, label: str, is_commit: bool) -> str:
        """Wait until the scheduler picks this call; how it goes."""
        assert actor.pending is None, "an actor makes one call at a time"
        actor.pending = Pending(label, is_commit, asyncio.get_running_loop().create_future())
        return await actor.pending.future

    # Choices of the code under test

    def believes_expired(self, claim: Claim) -> bool:
        """Whether the current actor believes that a claim has expired: a choice."""
        holder = claim.holder.split("/")[0]
        actor = current.get()
        if holder == actor.name:
            return False
        if any(other.is_dead for other in self.actors if other.name == holder):
            return True  # sooner or later
        if not self._left["takeovers"]:
            return False
        hasty, actor.is_hasty = actor.is_hasty, False
        if hasty or self.choices.choose(2):
            self._left["takeovers"] -= 1
            actor.learned("expired")
            return True
        return False

    # The scheduler

    async def run(self, after_move: Callable[["World"], None]) -> None:
        """Pick calls until none is left.

        after_move: called after each call; it may begin more actors.
        """
        await self._quiet()
        while moves := self._moves():
            self.choices.visit(self._state())
            label, move = moves[self.choices.choose(len(moves))]
            self._trace.append(label)
            move()
            await self._quiet()
            self._note_version()
            after_move(self)
            await self._quiet()

    def story(self) -> str:
        """All calls in their order, and how each actor ended."""
        ends = [f"{actor.name}: {actor.outcome or 'dead'}" for actor in self.actors]
        return "\n".join([*self._trace, *ends])

    def close(self) -> None:
        """End all actors, wherever they are."""
        self.is_over = True
        for task in self._tasks:
            task.cancel()

    def _moves(self) -> list[tuple[str, Callable[[], None]]]:
        moves: list[tuple[str, Callable[[], None]]] = []
        for actor in self.actors:
            if actor.pending is not None and not actor.is_dead:
                moves += self._moves_of(actor, actor.pending)
        if self._left["renewals"]:
            moves += [
                (f"{actor.name}: renews", partial(self._renew, actor, each))
                for actor, each in self.leases
                if each.is_open and not actor.is_dead
            ]
        return moves

    def _moves_of(self, actor: Actor, pending: Pending) -> list[tuple[str, Callable[[], None]]]:
        label = f"{actor.name}: {pending.label}"
        if pending.label == "pause":
            return self._wakes(actor, label)
        moves = [(label, lambda: self._go(actor, "made"))]
        if pending.is_commit and self._left["losses"]:
            moves += [
                (f"{label} {how}", partial(self._go, actor, how, "losses"))
                for how in ("lost", "refused")
            ]
        if self._left["crashes"]:
            moves.append((f"{label} crash before", lambda: self._crash(actor)))
            if pending.is_commit:
                moves.append((f"{label} crash behind", lambda: self._crash(actor, behind=True)))
        return moves

    def _wakes(self, actor: Actor, label: str) -> list[tuple[str, Callable[[], None]]]:
        """A run that pauses looks again when something has changed, or a claim expires."""
        moves = []
        if actor.seen != self._waited_for():
            moves.append((label, lambda: self._go(actor, "made")))
        elif self._left["takeovers"] and self._is_held_by_another(actor):
            moves.append((f"{label} expires", lambda: self._wake_hastily(actor)))
        return moves

    def _go(self, actor: Actor, how: str, cost: str | None = None) -> None:
        if cost is not None:
            self._left[cost] -= 1
        pending, actor.pending = actor.pending, None
        assert pending is not None
        pending.future.set_result(how)

    def _wake_hastily(self, actor: Actor) -> None:
        actor.is_hasty = True
        self._go(actor, "made")

    def _crash(self, actor: Actor, *, behind: bool = False) -> None:
        self._left["crashes"] -= 1
        process = [other for other in self.actors if other.name == actor.name]
        for each in process:
            each.is_dead = True
        if behind:  # the call is made, and nobody hears the answer
            self._go(actor, "made")

    def _renew(self, actor: Actor, each: Lease) -> None:
        self._left["renewals"] -= 1

        async def renew() -> None:
            each._begin_renewal()
            assert each._renewal is not None
            await each._renewal

        self.begin(actor.name, renew).is_renewal = True

    # The state

    def _waited_for(self) -> Hashable:
        """How often the lease and the queue have changed, and which processes have ended."""
        return self._version, tuple(actor.name for actor in self.actors if actor.is_dead)

    def _note_version(self) -> None:
        logs = self._logs()
        records = [logs.get(name) for name in (":lease", ":queue")]
        if records != self._waited:
            self._waited = records
            self._version += 1

    def _is_held_by_another(self, actor: Actor) -> bool:
        held = self._logs().get(":lease", [])
        return bool(held) and f'"{actor.name}/' not in held[-1][1].decode()

    def _logs(self) -> dict[str, list[tuple[int, bytes]]]:
        conversation = self.store.inner._conversations.get("s")  # type: ignore[attr-defined]
        logs = conversation.logs if conversation else {}
        return {
            name: [(record.position, record.payload) for record in lines.records]
            for name, lines in logs.items()
        }

    def _state(self) -> Hashable:
        logs = tuple((name, tuple(records)) for name, records in sorted(self._logs().items()))
        actors = tuple(
            (
                actor.name,
                actor.history,
                actor.pending.label if actor.pending else "",
                actor.is_dead,
                actor.outcome,
                actor.seen == self._waited_for() if actor.pending else None,
            )
            for actor in self.actors
        )
        return hash((logs, actors, tuple(self._left.items())))

    def branches(self) -> list[list[bytes]]:
        """The payloads of each branch."""
        logs = self._logs()
        return [[p for _, p in logs[name]] for name in sorted(logs) if not name.startswith(":")]

    def log(self, name: str) -> list[tuple[int, bytes]]:
        """The records of another log."""
        return self._logs().get(name, [])

    async def _quiet(self) -> None:
        """Wait until every actor waits for a call, or has ended."""
        loop: Any = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)
            if not loop._ready:
                return


async def _pause(watch: waiting.Watch) -> None:
    """What a run that waits has seen so far makes no difference any more, but for these."""
    actor, tries = current.get(), vars(watch)["taking"]
    actor.history = hash((actor.number, tries._ticket, tries._draws, tries._tries))
    await worlds.get().turn_of(current.get(), "pause", is_commit=False)


@contextmanager
def fixed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within, names, keys and times are the same in each execution; claims expire by choice."""

    class Named:
        hex = property(lambda _self: f"{current.get().name}/{current.get().draw()}")

    def expired(_watch: object, claim: Claim) -> bool:
        return worlds.get().believes_expired(claim)

    def absent(_watch: object, first: int) -> bool:
        world = worlds.get()
        waiters = dict(world.log(":queue"))
        dead = [f'"{actor.name}/' for actor in world.actors if actor.is_dead]
        return first > 0 and any(name in waiters.get(first, b"").decode() for name in dead)

    def noted(self: Lease, **_how: bool) -> None:
        worlds.get().leases.append((current.get(), self))

    made = Taking.__init__

    def linked(self: Taking, *args: Any) -> None:
        made(self, *args)
        vars(self._watch)["taking"] = self

    with monkeypatch.context() as patch:
        patch.setattr(Taking, "__init__", linked)
        patch.setattr(lease, "uuid4", Named)
        patch.setattr(forking, "uuid4", Named)
        patch.setattr(open_turn, "token_hex", lambda _size: f"{current.get().draw()}")
        patch.setattr("turnlog.conversation.turns.claims.time.time", lambda: 0.0)
        patch.setattr(waiting.Watch, "has_expired", expired)
        patch.setattr(waiting.Watch, "is_absent", absent)
        patch.setattr(waiting.Watch, "pause", _pause)
        patch.setattr(Lease, "_schedule_renewal", noted)
        patch.setattr(beginning, "in_order_of_arrival", lambda *_: nullcontext())
        yield
