"""A program that runs turns on one session.

    python -m tests.programs.run_turns URL NAME POLICY TURNS LEASE [HOW]

Each turn is a question, a call of a tool, its output and an answer, all with the name and
the number of the turn. A lease lasts for LEASE seconds. For each turn the program prints "thinking"
once the question is stored, and then "done", "busy" (the session was) or "lost" (the lease was).
HOW may be "told": then the model waits for a line of input before each response.
"""

import asyncio
import sys

from turnlog import (
    Agent,
    LeaseLost,
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
    """Calls the tool, then answers."""

    def __init__(self, turn: str, *, is_told: bool) -> None:
        self.turn = turn
        self.is_told = is_told

    async def respond(self, request: ModelRequest) -> ModelResponse:
        tell("thinking")
        if self.is_told:
            await asyncio.to_thread(sys.stdin.readline)
        if request.items[-1].get("role") == "user":
            call = {"call_id": self.turn, "name": "look", "arguments": "{}"}
            return ModelResponse([{"type": "function_call", **call}])
        return ModelResponse([{"role": "assistant", "content": self.turn}])


@function_tool
def look() -> str:
    """Look."""
    return "seen"


async def main(url: str, name: str, policy: str, turns: str, lease: str, how: str = "") -> None:
    async with open_store(url) as store:
        session = StoredSession("shared", store)
        config = RunConfig(session_policy=policy, lease_seconds=float(lease))  # type: ignore[arg-type]
        for number in range(int(turns)):
            model = Model(f"{name}-{number}", is_told=how == "told")
            agent = Agent("A", model=model, tools=[look])
            try:
                await Runner.run(agent, f"{name}-{number}", session=session, run_config=config)
            except SessionBusy:
                tell("busy")
            except LeaseLost:
                tell("lost")
            else:
                tell("done")


def tell(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
