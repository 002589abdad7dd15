"""A program that performs the acts of a random walk on a conversation.

    python -m tests.programs.perform_acts URL

For each line of its input, an act as JSON, it prints the result as JSON.
"""

import asyncio
import json
import sys

from tests.conversation.model.acts import performed
from turnlog import open_store


async def main(url: str) -> None:
    async with open_store(url) as store:
        while line := await asyncio.to_thread(sys.stdin.readline):
            sys.stdout.write(json.dumps(await performed(store, json.loads(line))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
