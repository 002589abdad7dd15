"""A process that starts a run whenever it is told to; run by the tests.

    python -m tests.programs.run_on_command URL NAME POLICY

A line of input, the id of a session, starts a run there. A line of output tells what comes of
it: "busy", or "thinking N" when the model was asked and shown N items; then it waits for a
line of input before it answers, calls a tool, and answers again: "done BRANCH".
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
    """Calls a tool when it is told to, then answers."""

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
