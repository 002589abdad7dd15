"""A key for each owner in a KMS: encrypt, rotate, and erase one owner everywhere at once.

Run it from the root of the repository: python -m examples.kms.demo
"""

import asyncio
import shutil
import tempfile
from pathlib import Path

from examples.kms.stand_in import standing_in
from examples.kms.vault import VaultKeys
from turnlog import Encrypted, StoredSession, Unreadable, open_store


async def main() -> None:
    """Write for two owners, take a backup, erase one of them."""
    with standing_in() as vault, tempfile.TemporaryDirectory() as folder:
        live, backup = Path(folder, "chats.db"), Path(folder, "backup.db")
        keys = VaultKeys(vault.address, vault.token)
        async with Encrypted(open_store(str(live)), keys) as store:
            for owner in ("alice", "bob"):
                session = StoredSession(f"{owner}/2026-11-28", store)
                await session.add_items([{"role": "user", "content": f"I am {owner}."}])
        shutil.copy(live, backup)
        await keys.erase_owner("alice")
        for path in (live, backup):
            async with Encrypted(open_store(str(path)), keys) as store:
                for owner in ("alice", "bob"):
                    print(f"{path.name}, {owner}: {await _said(owner, store)}")


async def _said(owner: str, store: Encrypted) -> object:
    try:
        return await StoredSession(f"{owner}/2026-11-28", store).get_items()
    except Unreadable as error:
        return error.problem


if __name__ == "__main__":
    asyncio.run(main())
