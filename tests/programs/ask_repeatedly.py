"""A program that asks on one session again and again.

    python -m tests.programs.ask_repeatedly URL NAME THINKING

It prints "ready", waits for a line of input, and then runs one turn after another until its input
ends. The model takes THINKING seconds. At the end the program prints how long it waited for each
turn, in seconds, as JSON.
"""

import asyncio
import json
import sys
import time

from turnlog import StoredSession, open_store


async def main(url: str, name: str, thinking: str) -> None:
    waits: list[float] = []
    async with open_store(url) as store:
        session = StoredSession("shared", store, session_settings={"limit": 4})
        await session.get_items()
        tell("ready")
        await asyncio.to_thread(sys.stdin.readline)
        ended = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        while not ended.done():
            asked = time.monotonic()
            async with session.turn(f"{name}-{len(waits)}") as turn:
                waits.append(time.monotonic() - asked)
                await asyncio.sleep(float(thinking))
                await turn.add([{"role": "assistant", "content": name}])
    tell(json.dumps(waits))


def tell(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
