"""A process that writes to a file until it is killed; run by the tests.

    python -m tests.programs.write_until_killed FILE SESSION

Each batch is four items that name their batch and place. A line with the batch's number
follows each acknowledged one.
"""

import asyncio
import itertools
import sys

from turnlog import SQLiteSession


async def main(path: str, session_id: str) -> None:
    session = SQLiteSession(session_id, path)
    for batch in itertools.count():
        await session.add_items([{"batch": batch, "place": place} for place in range(4)])
        sys.stdout.write(f"{batch}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
