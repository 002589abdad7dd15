"""Digests of writes: keyed, because a caller's digest is one of plain text.

A reader of the database could check guesses at a short text with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.changes import Change, Check, Committed, Key
from turnlog.layers.encryption.sealing import DataKey
from turnlog.store import Store

__all__ = ["committed"]


async def committed(
    store: Store,
    adopts: bool,
    session: str,
    changes: Sequence[Change],
    key: Key | None,
    data_key: DataKey | None,
) -> Committed:
    """Commit `changes` to `store` with `key`, whose digest is made anew with `data_key`.

    adopts: whether the first commit with `key` may have been made before the store was encrypted.
    data_key: of the conversation; None if it has none. Then it has no digests either, because a
        commit that keeps one makes a data key.
    """
    if key is None or not key.digest:
        return await store.commit(session, changes, key=key)
    digest = data_key.digest(key.digest) if data_key else b""
    try:
        return await store.commit(session, changes, key=key._replace(digest=digest))
    except ValueError:
        if not adopts:
            raise
        # The key is known, with another digest: perhaps that of the caller. No log ends at -1.
        return await store.commit(session, [Check(changes[0].log, -1)], key=key)
