"""Rotating: key rings and looks at stored keys that the tests of rotation share."""

import os

from turnlog import Log, Store
from turnlog.layers.encryption.header import is_sealed
from turnlog.layers.encryption.key_records import KEYS, KeyRecord, key_record_of
from turnlog.layers.encryption.keyring import Keyring
from turnlog.layers.encryption.opening import key_id_of

__all__ = ["BOTH", "NEW", "OLD", "RAW", "key_records", "sealing_keys"]

#: The keys.
RAW = {"old": os.urandom(32), "new": os.urandom(32)}
#: A ring as it is before a rotation, during it and after it.
OLD = Keyring({"old": RAW["old"]})
BOTH = Keyring(RAW, primary="new")
NEW = Keyring({"new": RAW["new"]})


async def key_records(store: Store, session: str = "s") -> list[KeyRecord]:
    """The data keys of a conversation as `store` holds them."""
    found = map(key_record_of, (await store.read(Log(session, KEYS))).payloads)
    return [each for each in found if isinstance(each, KeyRecord)]


async def sealing_keys(store: Store, session: str = "s") -> set[int]:
    """The ids of the data keys under which anything of a conversation is stored; 0: plain."""
    ids: set[int] = set()
    for head in await store.logs(session):
        if head.log.name != KEYS:
            stored = [*(await store.read(head.log)).payloads, *filter(None, [head.note])]
            ids |= {key_id_of(each) if is_sealed(each) else 0 for each in stored}
    return ids
