"""Stopped runs: a process that is stopped at any point of its turn, for longer than its lease.

Another run takes the lease meanwhile. Whenever the stopped process goes on, it writes nothing
into the turn of the other, nor behind it what belongs before it.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import product
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import NamedTuple, TypeVar

import pytest

from tests.programs.run_step_by_step import LEASE, TURN, forked
from tests.sample_items import answer, user
from tests.sizes import STOPS
from turnlog import Agent, ModelRequest, ModelResponse, Runner, Store, StoredSession, open_store
from turnlog.changes import Append
from turnlog.items.json import Item
from turnlog.items.repair import INTERRUPTED
from turnlog.store import Call, Layer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

T = TypeVar("T")

# What a run says when it puts a ticket into the queue: it waits for the end of another.
_WAITS = "before commit :queue"

#: When the stopped process goes on: at a moment in the other run, or at any time.
MOMENTS = ["taken", "asked", "answered", "at any time"]
#: A process is stopped where it waits, or so many seconds after it was let go on from there.
DELAYS = [None, 0.0005, 0.002, 0.005]


class Stop(NamedTuple):
    """Where a run is stopped, and when it goes on."""

    #: The number of the announcement at which it is stopped.
    point: int
    #: The longest time after which it is stopped behind that point; None stops it there.
    delay: float | None
    moment: str


class Holder:
    """A run in a process of its own that goes on step by step."""

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self._process = process
        self._pipe = pipe
        self._rest: asyncio.Task[None] | None = None
        #: What it has said at the points that it has passed or is at.
        self.points: list[str] = []
        #: How many items its model was shown each time.
        self.shown: list[int] = []
        #: How it ended; "" until then.
        self.outcome = ""
        #: Whether it was stopped while a call was perhaps being made.
        self.may_hold_locks = False
        #: Set when it has ended, or waits for the end of another run.
        self.is_quiet = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def on(cls, url: str, session: str, way: str) -> AsyncIterator["Holder"]:
        process, pipe = await asyncio.to_thread(forked, url, session, way)
        holder = cls(process, pipe)
        try:
            yield holder
        finally:
            process.kill()
            if holder._rest is not None:
                await asyncio.wait([holder._rest])
            await asyncio.to_thread(process.join)
            pipe.close()

    async def stopped(self, stop: Stop) -> bool:
        """Let it go on to the point of `stop` and stop it; False if it has ended before."""
        while len(self.points) <= stop.point:
            if self.points:
                self._pipe.send("go on")
            if not await self._at_next_point():
                return False
        self.may_hold_locks = stop.delay is not None or self._calls_under_way() > 0
        if stop.delay is not None:
            self._pipe.send("go on")
            await asyncio.sleep(random.uniform(0, stop.delay))
        self._signal(signal.SIGSTOP)
        if stop.delay is None:
            self._pipe.send("go on")  # which it hears when it is continued
        return True

    def resume(self) -> None:
        """Let it go on to its end. Doing so twice is fine."""
        if self._rest is None:
            self._signal(signal.SIGCONT)
            self._rest = asyncio.create_task(self._run_on())

    async def has_ended(self) -> None:
        assert self._rest is not None
        await self._rest

    async def _run_on(self) -> None:
        try:
            while await self._at_next_point():
                self._pipe.send("go on")
        except EOFError:  # it was killed
            self.outcome = self.outcome or "killed"
        finally:
            self.is_quiet.set()

    async def _at_next_point(self) -> bool:
        """Whether it has reached another point, and not its end."""
        while True:
            kind, _, words = (said := await asyncio.to_thread(self._pipe.recv)).partition(" ")
            if kind == "end":
                self.outcome = words
                return False
            if kind != "shown":
                break
            self.shown.append(int(words))
        self.points.append(said)
        if said == _WAITS:
            self.is_quiet.set()
        return True

    def _calls_under_way(self) -> int:
        """How many calls are being made, such as a renewal, beside what it waits to do."""
        kinds = Counter(point.split()[0] for point in self.points)
        waits = self.points[-1].startswith("before")
        return kinds["before"] - kinds["after"] - waits

    def _signal(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)


class Taking(Layer):
    """Calls `taken` once, when the lease was taken."""

    def __init__(self, inner: Store, taken: Callable[[], Awaitable[None]]) -> None:
        super().__init__(inner)
        self._taken: Callable[[], Awaitable[None]] | None = taken

    async def around(self, call: Call[T]) -> T:
        result = await call()
        if self._taken is not None and call.verb == "commit" and _claims(call.args[1]):
            taken, self._taken = self._taken, None
            await taken()
        return result


def _claims(changes: object) -> bool:
    assert isinstance(changes, list | tuple)
    return any(isinstance(change, Append) and change.log == ":lease" for change in changes)


class Successor:
    """A run in this process, in whose course the stopped one goes on."""

    def __init__(self, holder: Holder, moment: str, words: str) -> None:
        self._holder = holder
        self._moment = moment
        #: What it is asked.
        self.words = words
        self.shown: list[Item] = []

    async def run(self, store: Store, session: str) -> None:
        async def taken() -> None:
            await self._at("taken")

        on = StoredSession(session, Taking(store, taken))
        await Runner.run(Agent("B", model=self), self.words, session=on)
        await self._at("answered")

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """Answer, as a model."""
        self.shown = request.items
        await self._at("asked")
        return ModelResponse([answer("new")])

    async def _at(self, moment: str) -> None:
        """Let the stopped run do what it can, if it is to go on at this moment."""
        if moment == self._moment:
            self._holder.resume()
            await self._holder.is_quiet.wait()


async def played(
    store: Store, url: str, session: str, way: str, words: str, stop: Stop
) -> Counter[str]:
    """The outcome of a run that was stopped, while another one was asked `words`."""
    async with Holder.on(url, session, way) as holder, asyncio.timeout(200):
        if not await holder.stopped(stop):
            return Counter({"never stopped": 1})
        successor = Successor(holder, stop.moment, words)
        running = asyncio.create_task(successor.run(store, session))
        if stop.moment == "at any time":
            await asyncio.sleep(random.uniform(0, 3 * LEASE))
            holder.resume()
        # A process that is stopped within a transaction keeps others from the database.
        done, _ = await asyncio.wait([running], timeout=2 if holder.may_hold_locks else 60)
        holder.resume()
        await running
        await holder.has_ended()
        items = await StoredSession(session, store).get_items()
        _check(holder, successor, items)
    assert done or holder.may_hold_locks, "the successor was kept out"
    return Counter({holder.outcome: 1, "kept others out": not done})


def _check(holder: Holder, successor: Successor, items: list[Item]) -> None:
    """What the stopped run has stored lies before the take of the other, or behind its turn."""
    own = [user(successor.words), answer("new")]
    seen = [item for item in successor.shown if item.get("output") != INTERRUPTED]
    assert seen == items[: items.index(answer("new"))], "the answer is to an outdated view"
    if holder.outcome == "lost":
        # The same words are a retry of the turn that has no answer yet, not a new question.
        added = own[1:] if own[0] == TURN[0] else own
        stored = len(items) - len(added)
        assert 0 < stored < len(TURN)
        assert items == TURN[:stored] + added
    else:
        assert holder.outcome == "done"
        assert items in (TURN + own, own + TURN)
        assert holder.shown[0] == (1 if items[-1] == answer("new") else 3)


async def points(url: str, way: str) -> list[str]:
    """The points of a run that nobody stops."""
    async with Holder.on(url, "free", way) as holder:
        holder.resume()
        await holder.has_ended()
        assert holder.outcome == "done"
        return holder.points


def stops(count: int) -> list[Stop]:
    """All, or a sample. Behind a call that has returned, a delay would add nothing."""
    every = [Stop(*each) for each in product(range(count), DELAYS, MOMENTS)]
    return [stop for stop in every if stop.delay is None or stop.point % 2 == 0][::STOPS]


@pytest.mark.proof
@pytest.mark.stores("sqlite", "postgres", "mariadb", "redis")
@pytest.mark.parametrize("way", ["by the runner", "by hand"])
@pytest.mark.parametrize("words", ["new", "old"])
async def test_a_stopped_run_writes_nothing_behind_the_take_of_another(
    any_url: str, way: str, words: str
) -> None:
    """Whether the other is asked something new, or the same again."""
    async with open_store(any_url) as store:
        found = await points(any_url, way)
        assert set(found) >= {
            "before read main",
            "before commit :lease :queue :summaries main",
            "before commit :lease",
            "before commit :lease main",
        }
        came = Counter[str]()
        for number, stop in enumerate(stops(len(found))):
            came += await played(store, any_url, f"s{number}", way, words, stop)
    assert came["lost"] > 0 < came["done"]
