"""A program that kills writers of a conversation at OpenAI at each of their steps.

    python -m tests.programs.kill_conversations URL API WAY STRIDE FIRST

URL is a store, API the address of the server of `tests.providers.conversations_server`. WAY is
"append", of 100 items with a key, or "run". For every STRIDE-th step of it, from FIRST on, there
is a conversation on which a process is killed with SIGKILL at that step. Then it is tried again
and killed at two other steps, and at last it may finish. For each conversation a line of JSON has
its id and how many items it held after each of the kills.
"""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from itertools import count

from tests.programs.kill_runs import Model, Steps, look
from tests.providers.view_rules import accepted
from turnlog import (
    Agent,
    AsyncOpenAI,
    OpenAIConversationsSession,
    RunConfig,
    Runner,
    open_store,
)
from turnlog.sessions.conversations import retrying

_NEVER = -1
_COUNT = 100


def items() -> list[dict[str, str]]:
    return [{"role": "user", "content": f"{n}"} for n in range(_COUNT)]


async def attempt(url: str, api: str, way: str, conversation: str) -> None:
    """One append or run, from opening the store to closing it."""
    async with open_store(url) as store, AsyncOpenAI(api_key="k", base_url=api) as client:
        session = OpenAIConversationsSession(conversation, client, store=store)
        if way == "append":
            await session.add_items(items(), key="k")
            return
        accepted(await session.view())
        second = Agent("B", model=Model(_nobody), tools=[look])
        first = Agent("A", model=Model(_nobody), tools=[look], handoffs=[second])
        await Runner.run(first, "go", session=session, run_config=RunConfig(lease_seconds=0.5))


def _nobody(items: object) -> None:
    """Who is told what a model is shown."""


def lived(url: str, api: str, way: str, conversation: str, last: int) -> bool:
    """Try it in a process of its own; returns whether it finished."""
    child = os.fork()
    if child == 0:
        signal.alarm(120)  # nothing may hang
        try:
            with asyncio.Runner() as runner:
                runner.get_loop().set_task_factory(Steps(last).task)
                runner.run(attempt(url, api, way, conversation))
        except BaseException as error:  # noqa: BLE001 - the exit status is all that is left
            os.write(2, f"{conversation}, step {last}: {error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    with urllib.request.urlopen(f"{api}/idle"):  # noqa: S310 - until all requests are carried out
        pass
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status:
        raise SystemExit(f"{conversation}: status {status}")
    return True


async def _begin(url: str, api: str) -> str:
    """A conversation with one item. Imports what every process needs, before the forks."""
    async with open_store(url), AsyncOpenAI(api_key="k", base_url=api) as client:
        session = OpenAIConversationsSession(client=client)
        await session.add_items([{"role": "user", "content": "first"}])
        return session.session_id


async def _held(api: str, conversation: str) -> int:
    async with AsyncOpenAI(api_key="k", base_url=api) as client:
        return len(await OpenAIConversationsSession(conversation, client).get_items()) - 1


def main(url: str, api: str, way: str, stride: str, first: str) -> None:
    os.environ["TURNLOG_LEASE_SECONDS"] = "0.5"
    retrying._FIRST = 0.01
    for last in count(int(first), int(stride)):
        conversation = asyncio.run(_begin(url, api))
        if lived(url, api, way, conversation, last):
            return  # it has no more steps than that
        counts = [asyncio.run(_held(api, conversation))]
        for step in (last // 2, 7 * last % 400, _NEVER, _NEVER):
            if lived(url, api, way, conversation, step):
                break
            counts.append(asyncio.run(_held(api, conversation)))
        lived(url, api, way, conversation, _NEVER)
        sys.stdout.write(json.dumps({"conversation": conversation, "counts": counts}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
