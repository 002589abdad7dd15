"""A program whose many tasks write to one file.

    python -m tests.programs.write_from_many_tasks FILE PROCESS TASKS BATCHES

Task T of process P writes to the session "own-P-T", which nobody else uses, and to "shared",
which all use.
"""

import asyncio
import sys

from turnlog import SQLiteSession


async def _write(path: str, process: str, task: int, batches: int) -> None:
    own = SQLiteSession(f"own-{process}-{task}", path)
    shared = SQLiteSession("shared", path)
    for batch in range(batches):
        items = [{"writer": f"{process}-{task}", "batch": batch, "n": n} for n in range(3)]
        await own.add_items(items)
        await shared.add_items(items)


async def main(path: str, process: str, tasks: str, batches: str) -> None:
    await asyncio.gather(*(_write(path, process, t, int(batches)) for t in range(int(tasks))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
