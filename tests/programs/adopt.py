"""A program that adopts a conversation of the SDK's AdvancedSQLiteSession, to be killed meanwhile.

    python -m tests.programs.adopt FILE SESSION

It prints a line when it begins, and one when the commit is acknowledged.
"""

import asyncio
import sys

from turnlog.records import Log
from turnlog.stores.sqlite import SQLiteStore


async def main(path: str, session_id: str) -> None:
    async with SQLiteStore(path) as store:
        await store.logs(session_id)
        sys.stdout.write("begins\n")
        sys.stdout.flush()
        await store.append(Log(session_id), [b'{"role":"assistant","content":"ours"}'])
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
