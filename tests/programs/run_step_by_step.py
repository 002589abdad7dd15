"""Runs that announce each call of their store and wait until they may go on.

`forked` starts a run in a process of its own, at the other end of a pipe. Through it the run says

    before VERB LOGS, after VERB LOGS    at each call of its store; it waits for an answer then
    shown N                              when the model is asked, with the number of items
    end HOW                              "done" or "lost" (the lease was), or the name of an error
"""

import asyncio
import multiprocessing
from collections.abc import Iterable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TypeVar, cast

from tests.sample_items import answer, call, output, user
from turnlog import (
    Agent,
    LeaseLost,
    ModelRequest,
    ModelResponse,
    RunConfig,
    Runner,
    Store,
    StoredSession,
    function_tool,
    open_store,
)
from turnlog.changes import Change
from turnlog.items.json import Item
from turnlog.records import Log
from turnlog.store import Call, Layer

__all__ = ["LEASE", "TURN", "forked"]

T = TypeVar("T")

#: The seconds that the lease of the run lasts.
LEASE = 0.3
#: What the run stores: a question, a call of a tool, its output, an answer.
TURN: list[Item] = [user("old"), call("look"), output("seen"), answer("old")]

# The seconds that the model takes for its first response. The lease is renewed meanwhile.
_THINKS = LEASE / 2


class Announced(Layer):
    """Announces each call, before it is made and when it has ended."""

    def __init__(self, inner: Store, pipe: Connection) -> None:
        super().__init__(inner)
        self._pipe = pipe

    async def around(self, call: Call[T]) -> T:
        name = f"{call.verb} {' '.join(_logs(call))}"
        self._announce(f"before {name}")
        try:
            return await call()
        finally:
            self._announce(f"after {name}")

    def _announce(self, words: str) -> None:
        # Nothing else may go on in this process meanwhile, so this blocks the event loop.
        self._pipe.send(words)
        self._pipe.recv()


def _logs(call: Call[T]) -> Iterable[str]:
    if call.verb == "commit":
        return (change.log for change in cast("list[Change]", call.args[1]))
    return (arg.name for arg in call.args if isinstance(arg, Log))


class Model:
    """Calls the tool, then answers."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self._pipe.send(f"shown {len(request.items)}")
        if request.items[-1].get("role") == "user":
            await asyncio.sleep(_THINKS)
            return ModelResponse(TURN[1:2])
        return ModelResponse(TURN[3:])


@function_tool
def look() -> str:
    """Look."""
    return "seen"


async def by_the_runner(session: StoredSession, pipe: Connection) -> None:
    """The turn as a run of the runner."""
    agent = Agent("A", model=Model(pipe), tools=[look])
    await Runner.run(agent, "old", session=session, run_config=RunConfig(lease_seconds=LEASE))


async def by_hand(session: StoredSession, pipe: Connection) -> None:
    """The turn as a loop of one's own."""
    async with session.turn("old", lease_seconds=LEASE) as turn:
        pipe.send(f"shown {len(turn.input)}")
        await asyncio.sleep(_THINKS)
        for item in TURN[1:]:
            await turn.add([item])


_WAYS = {"by the runner": by_the_runner, "by hand": by_hand}


def forked(url: str, session: str, way: str) -> tuple[BaseProcess, Connection]:
    """A process with such a run, and our end of the pipe."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "turnlog.stores.sqlalchemy", "turnlog.stores.redis"])
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(url, session, way, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _run(url: str, session: str, way: str, pipe: Connection) -> None:
    pipe.send(f"end {asyncio.run(_outcome(url, session, way, pipe))}")


async def _outcome(url: str, session: str, way: str, pipe: Connection) -> str:
    async with open_store(url) as store:
        try:
            await _WAYS[way](StoredSession(session, Announced(store, pipe)), pipe)
        except LeaseLost:
            return "lost"
        except Exception as error:  # noqa: BLE001 - the test is told
            return repr(error)
        return "done"
