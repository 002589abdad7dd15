"""A program that holds a session until it is told to answer.

    python -m tests.programs.hold_session URL NAME WAY

WAY says how: a way of running an agent, or of handling SIGTERM beside it. The program prints
"thinking" when the question is stored and the model was asked, "done" at the end of the run, and
"default" or "other" behind it: whose reaction to SIGTERM is left. A line on its standard input has
the model answer. The lease lasts for ten minutes.
"""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable

from turnlog import (
    Agent,
    ModelRequest,
    ModelResponse,
    RunConfig,
    Runner,
    StoredSession,
    function_tool,
    open_store,
    sync,
)

CONFIG = RunConfig(lease_seconds=600.0)


class Model:
    """Answers when a line comes."""

    def __init__(self, *, first: Callable[[], object] = lambda: None) -> None:
        self._first = first

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self._first()
        tell("thinking")
        while not await _line():
            pass
        return ModelResponse([{"role": "assistant", "content": "answer"}])


class Stubborn:
    """Goes on whatever happens."""

    async def respond(self, request: ModelRequest) -> ModelResponse:
        tell("thinking")
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(600)


async def _line() -> str:
    """The next line, read in a thread that keeps nothing from ending."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[str] = loop.create_future()

    def set_result(line: str) -> None:
        if not came.cancelled():
            came.set_result(line)

    def read() -> None:
        line = sys.stdin.readline() or "end"
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(set_result, line)

    threading.Thread(target=read, daemon=True).start()
    return await came


async def run(url: str, name: str, model: object = None) -> None:
    agent = Agent("A", model=model or Model())  # type: ignore[arg-type]
    async with open_store(url) as store:
        session = StoredSession("shared", store)
        await Runner.run(agent, name, session=session, run_config=CONFIG)
    tell("done")


async def streamed(url: str, name: str) -> None:
    async with open_store(url) as store:
        session = StoredSession("shared", store)
        agent = Agent("A", model=Model())
        result = Runner.run_streamed(agent, name, session=session, run_config=CONFIG)
        async for _event in result:
            pass
    tell("done")


async def turn(url: str, name: str) -> None:
    async with open_store(url) as store:
        session = StoredSession("shared", store)
        async with session.turn(name, lease_seconds=600.0) as begun:
            await begun.add((await Model().respond(None)).output)  # type: ignore[arg-type]
    tell("done")


async def held(url: str, name: str) -> None:
    async with open_store(url) as store:
        session = StoredSession("shared", store)
        async with session.held(lease_seconds=600.0):
            await session.add_items([{"role": "user", "content": name}])
            await Model().respond(None)  # type: ignore[arg-type]
            await session.add_items([{"role": "assistant", "content": "answer"}])
    tell("done")


async def many(url: str, name: str) -> None:
    """Ten runs on ten sessions, one of which has tools under way."""

    @function_tool
    async def look() -> str:
        await asyncio.sleep(600)
        return "seen"

    class Calling:
        async def respond(self, request: ModelRequest) -> ModelResponse:
            call = {"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"}
            return ModelResponse([call])

    calling = Agent("B", model=Calling(), tools=[look])
    async with open_store(url) as store:
        others = (
            Runner.run(calling, name, session=StoredSession(f"s{n}", store), run_config=CONFIG)
            for n in range(9)
        )
        await asyncio.gather(*others, run(url, name))


def run_sync(url: str, name: str) -> None:
    session = StoredSession("shared", open_store(url))
    Runner.run_sync(Agent("A", model=Model()), name, session=session, run_config=CONFIG)
    tell("done")


def turn_sync(url: str, name: str) -> None:
    """The block of a blocking turn, in which the program's own code waits."""
    with (
        sync.open_store(url) as store,
        sync.StoredSession("shared", store).turn(name, lease_seconds=600.0) as begun,
    ):
        tell("thinking")
        sys.stdin.readline()
        begun.add([{"role": "assistant", "content": "answer"}])
    tell("done")


def handled(url: str, name: str) -> None:
    """The program has a handler."""
    signal.signal(signal.SIGTERM, lambda *_: tell("handled"))
    asyncio.run(run(url, name))


def handled_later(url: str, name: str) -> None:
    """It gets one while the run is under way."""

    def install() -> None:
        signal.signal(signal.SIGTERM, lambda *_: tell("handled"))

    asyncio.run(run(url, name, Model(first=install)))


async def handled_by_loop(url: str, name: str) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: tell("handled"))
    await run(url, name)


async def handled_by_loop_later(url: str, name: str) -> None:
    loop = asyncio.get_running_loop()

    def install() -> None:
        loop.add_signal_handler(signal.SIGTERM, lambda: tell("handled"))

    await run(url, name, Model(first=install))


def handled_in_c(url: str, name: str) -> None:
    """C code has a handler, which Python doesn't know."""
    import faulthandler  # noqa: PLC0415 - for this way alone

    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - os.devnull
        faulthandler.register(signal.SIGTERM, file=nowhere)
        asyncio.run(run(url, name))


def handler_restored(url: str, name: str) -> None:
    """As a server does: while it serves, it has a handler, and then it puts back what was there."""
    before: list[object] = []

    def install() -> None:
        before.append(signal.signal(signal.SIGTERM, lambda *_: tell("handled")))

    asyncio.run(run(url, name, Model(first=install)))
    signal.signal(signal.SIGTERM, before[0])  # type: ignore[arg-type]


def in_thread(url: str, name: str) -> None:
    """The event loop runs on another thread than the main one."""
    thread = threading.Thread(target=asyncio.run, args=(run(url, name),))
    thread.start()
    thread.join()


def forked(url: str, name: str) -> None:
    """A forked child holds the session; its parent never asks for its end."""
    asyncio.run(_used(url))
    if (child := os.fork()) == 0:
        asyncio.run(run(url, name))
        os._exit(0)
    tell(f"child {child}")
    sys.stdin.readline()


async def _used(url: str) -> None:
    """The parent has used the store before, and has taken a lease under its own name."""
    async with open_store(url) as store, StoredSession("before", store).turn("hello"):
        pass


def forking(url: str, name: str) -> None:
    """A child that is forked within a run dies of SIGTERM at once, and its parent goes on."""

    def fork() -> None:
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        tell(f"child {os.waitstatus_to_exitcode(status)}")

    asyncio.run(run(url, name, Model(first=fork)))


def stubborn(url: str, name: str) -> None:
    asyncio.run(run(url, name, Stubborn()))


def tell(word: str) -> None:
    os.write(1, f"{word}\n".encode())  # at once, also from a handler of a signal


WAYS: dict[str, Callable[[str, str], Awaitable[None] | None]] = {
    each.__name__: each
    for each in (
        *(
            run,
            streamed,
            turn,
            held,
            many,
            run_sync,
            turn_sync,
            in_thread,
            forked,
            forking,
            stubborn,
        ),
        *(handled, handled_later, handled_by_loop, handled_by_loop_later),
        *(handled_in_c, handler_restored),
    )
}


def main(url: str, name: str, way: str) -> None:
    work = WAYS[way](url, name)
    if asyncio.iscoroutine(work):
        asyncio.run(work)
    tell("default" if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL else "other")


if __name__ == "__main__":
    main(*sys.argv[1:])
