"""A program that commits to several logs of a file until it is killed.

    python -m tests.programs.commit_to_file FILE SESSION

Each commit adds its number to "main", to ":usage" and to a branch, and puts it in the place of
what ":lease" held. After each acknowledged commit the program prints its number.
"""

import asyncio
import itertools
import sys

from turnlog.changes import Append, Key
from turnlog.stores.sqlite import SQLiteStore


async def main(path: str, session: str) -> None:
    store = SQLiteStore(path)
    for number in itertools.count():
        payload = [str(number).encode()]
        changes = [
            Append(":lease", payload, cut=0),
            *(Append(name, payload) for name in ("main", ":usage", "branch")),
        ]
        await store.commit(session, changes, key=Key(f"write {number}"))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
