"""A program that kills runs at each of their steps.

    python -m tests.programs.kill_runs URL WAY STRIDE

WAY is "run" or "run_streamed". For every STRIDE-th step of a run there is a session on which a
process is killed with SIGKILL at that step. Then the run is tried again and killed at two other
steps, and at last it may finish. For each session a line of JSON lists the items that the model
was shown and the items that the events of the stream named.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine, Generator
from itertools import count
from typing import Any

from tests.providers.view_rules import accepted
from tests.sample_items import answer
from turnlog import (
    Agent,
    ModelRequest,
    ModelResponse,
    RunConfig,
    Runner,
    StoredSession,
    function_tool,
    open_store,
)
from turnlog.agents.events import RunItemStreamEvent
from turnlog.items.json import Item
from turnlog.items.repair import INTERRUPTED

_NEVER = -1


class Steps:
    """Counts the steps of all tasks and kills the process at one of them."""

    def __init__(self, last: int) -> None:
        self.left = last

    def step(self) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1

    def task(self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        """The task factory of a loop."""
        return asyncio.Task(_Counted(work, self), loop=loop, **options)


class _Counted(Coroutine[Any, Any, Any]):
    """A coroutine that counts each time that it continues or waits."""

    def __init__(self, work: Coroutine[Any, Any, Any], steps: Steps) -> None:
        self._work = work
        self._steps = steps

    def send(self, value: object) -> object:
        self._steps.step()
        waits_for: object = self._work.send(value)
        self._steps.step()
        return waits_for

    def throw(self, *error: Any) -> object:
        return self._work.throw(*error)

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self._work.__await__())


class Model:
    """Calls two tools at once, hands over, and answers; checks everything that it is shown."""

    def __init__(self, tell: Any) -> None:
        self._tell = tell

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self._tell([item for item in request.items if item.get("output") != INTERRUPTED])
        await asyncio.sleep(0)
        names = [item["name"] for item in request.items if item.get("type") == "function_call"]
        if "look" not in names:
            return ModelResponse([_call("look", 1), _call("look", 2)])
        if "transfer_to_b" not in names:
            return ModelResponse([_call("transfer_to_b", 3)])
        return ModelResponse([answer("done")])


def _call(name: str, number: int) -> Item:
    called = {"call_id": f"call_{number}", "name": name, "arguments": "{}"}
    return {"type": "function_call", **called}


@function_tool
async def look() -> str:
    """Look."""
    await asyncio.sleep(0)
    return "seen"


async def attempt(url: str, way: str, name: str, tell: Any) -> None:
    """One run, from opening the store to closing it."""
    async with open_store(url) as store:
        session = StoredSession(name, store)
        accepted(await session.view())
        second = Agent("B", model=Model(tell), tools=[look])
        first = Agent("A", model=Model(tell), tools=[look], handoffs=[second])
        config = RunConfig(lease_seconds=0.05)
        if way == "run":
            await Runner.run(first, "go", session=session, run_config=config)
            return
        async for event in Runner.run_streamed(first, "go", session=session, run_config=config):
            if isinstance(event, RunItemStreamEvent):
                tell([event.item.to_input_item()])


def lived(url: str, way: str, name: str, last: int, told: list[Item]) -> bool:
    """Try a run in a process of its own; returns whether it finished."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(120)  # nothing may hang

        def tell(items: list[Item]) -> None:
            os.write(into, json.dumps(items).encode() + b"\n")

        try:
            with asyncio.Runner() as runner:
                runner.get_loop().set_task_factory(Steps(last).task)
                runner.run(attempt(url, way, name, tell))
        except BaseException as error:  # noqa: BLE001 - the exit status is all that is left
            os.write(2, f"{name}, step {last}: {error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as lines:
        told += [item for line in lines.read().splitlines() for item in json.loads(line)]
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status:
        raise SystemExit(f"{name}: status {status}")
    return True


async def _warm_up(url: str) -> None:
    """Import what every process needs, once, before the forks."""
    async with open_store(url) as store:
        await StoredSession("warm", store).view()


def main(url: str, way: str, stride: str) -> None:
    asyncio.run(_warm_up(url))
    for last in count(step=int(stride)):
        name, told = f"s{last}", list[Item]()
        if lived(url, way, name, last, told):
            return  # it has no more steps than that
        tries = (last // 2, 7 * last % 40, _NEVER)
        assert any(lived(url, way, name, step, told) for step in tries)
        sys.stdout.write(json.dumps({"session": name, "told": told}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
