"""A program that asks on one session again and again.

    python -m tests.programs.ask_repeatedly URL NAME THINKING

It prints "ready", waits for a line of input, and then runs one turn after another until its input
ends. The model takes THINKING seconds. At the end the program prints, as JSON, the numbers of its
turns before or in which it stood still itself, as on a busy machine.
"""

import asyncio
import json
import sys
import time

from turnlog import StoredSession, open_store

# A process that doesn't run for so many seconds stood still.
_STILL = 0.5


class Asking:
    """How many turns were begun, and in the course of which ones the process stood still."""

    def __init__(self) -> None:
        self.begun = 0
        self.disturbed: set[int] = set()

    async def watch(self) -> None:
        """Notice when this process stands still."""
        while True:
            looked_at, begun = time.monotonic(), self.begun
            await asyncio.sleep(_STILL / 10)
            if time.monotonic() - looked_at > _STILL:
                self.disturbed.update(range(begun - 1, self.begun + 1))


async def main(url: str, name: str, thinking: str) -> None:
    asking = Asking()
    watching = asyncio.create_task(asking.watch())
    async with open_store(url) as store:
        session = StoredSession("shared", store, session_settings={"limit": 4})
        await session.get_items()
        tell("ready")
        await asyncio.to_thread(sys.stdin.readline)
        ended = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        while not ended.done():
            async with session.turn(f"{name}-{asking.begun}") as turn:
                asking.begun += 1
                await asyncio.sleep(float(thinking))
                await turn.add([{"role": "assistant", "content": name}])
    watching.cancel()
    tell(json.dumps(sorted(asking.disturbed)))


def tell(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
