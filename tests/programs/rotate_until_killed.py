"""A program that rotates the keys of a whole store, to be killed meanwhile.

    python -m tests.programs.rotate_until_killed URL KEY_FILE BEFORE

It wraps all data keys anew, then makes new ones where there is none since BEFORE. It prints a line
when it begins, and after each conversation.
"""

import asyncio
import sys

from turnlog import open_store
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.keyring import Keyring
from turnlog.layers.encryption.rotated import Rotated


def told(rotated: Rotated) -> None:
    assert not rotated.failed, rotated.failed
    assert not rotated.unreadable
    sys.stdout.write(f"{rotated.conversations}\n")
    sys.stdout.flush()


async def main(url: str, key_file: str, before: str) -> None:
    async with Encrypted(open_store(url), Keyring.from_file(key_file)) as layer:
        sys.stdout.write("begins\n")
        sys.stdout.flush()
        await layer.rewrap(progress=told)
        await layer.reseal(before=float(before), progress=told)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
