"""A program that starts a run for each line of input.

    python -m tests.programs.run_on_command URL NAME POLICY

A line of input, the id of a session, starts a run there. The program prints "busy" if the session
was busy, or "thinking N" once the model is asked and shown N items. After another line of input
the model calls a tool and answers, and the program prints "done BRANCH".
"""

import asyncio
import sys

from turnlog import (
    Agent,
    ModelRequest,
    ModelResponse,
    RunConfig,
    Runner,
    SessionBusy,
    StoredSession,
    function_tool,
    open_store,
)


class Model:
    """Calls a tool after a line of input, then answers."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def respond(self, request: ModelRequest) -> ModelResponse:
        if request.items[-1].get("role") == "user":
            tell(f"thinking {len(request.items)}")
            await heard()
            call = {"call_id": self.name, "name": "look", "arguments": "{}"}
            return ModelResponse([{"type": "function_call", **call}])
        return ModelResponse([{"role": "assistant", "content": self.name}])


@function_tool
def look() -> str:
    """Look."""
    return "seen"


async def main(url: str, name: str, policy: str) -> None:
    agent = Agent("A", model=Model(name), tools=[look])
    config = RunConfig(session_policy=policy)  # type: ignore[arg-type]
    async with open_store(url) as store:
        while session_id := await heard():
            session = StoredSession(session_id, store)
            try:
                result = await Runner.run(agent, name, session=session, run_config=config)
            except SessionBusy:
                tell("busy")
            else:
                tell(f"done {result.branch}")


async def heard() -> str:
    line: str = await asyncio.to_thread(sys.stdin.readline)
    return line.strip()


def tell(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
