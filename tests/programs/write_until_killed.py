"""A program that writes to a file until it is killed.

    python -m tests.programs.write_until_killed FILE SESSION

Each batch is four items that hold their batch and their index. After each acknowledged batch the
program prints its number.
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
