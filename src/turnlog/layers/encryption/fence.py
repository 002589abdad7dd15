"""Fence: the last change of a commit, which holds only if its data key is still the newest one.

So a rotation, a destruction of keys or a deletion by another process is noticed in the commit.
"""

from __future__ import annotations

from turnlog.changes import Append, Change, Check, Committed
from turnlog.errors import Unreadable
from turnlog.layers.encryption.data_keys import DataKeys, NewKey
from turnlog.layers.encryption.key_records import KEYS
from turnlog.layers.encryption.ring import Ring
from turnlog.layers.encryption.sealing import DataKey

__all__ = ["Fence"]


class Fence:
    """The fence of one commit, which may have to be tried several times.

    A first write makes one data key, however often it is tried.
    """

    def __init__(self, keys: DataKeys, session: str) -> None:
        self._keys = keys
        self._session = session
        self._new: NewKey | None = None

    async def ring(self) -> Ring:
        """The keys of the conversation."""
        return await self._keys.ring(self._session)

    async def key(self, ring: Ring) -> tuple[DataKey, Change]:
        """The key to seal with, and the change. Raises `Unreadable` if there can be none."""
        ring.check_writable()
        if ring.newest is None:
            self._new = self._new or await self._keys.made(self._session)
            return self._new.key, Append(KEYS, [self._new.record.payload()], expect=ring.end)
        await self.drop_unused()
        try:
            return await self._keys.key(ring, ring.newest), self.check(ring)
        except Unreadable:
            # The conversation may have been deleted after its keys were listed.
            listed = await self._keys.load(self._session)
            if listed.end == ring.end:
                raise
            return await self.key(listed)

    async def known(self, ring: Ring) -> DataKey | None:
        """The newest key; None if the conversation has none. Raises `Unreadable` as `key`."""
        ring.check_writable()
        return (await self.key(ring))[0] if ring.newest else None

    def check(self, ring: Ring) -> Change:
        """The change for a commit that seals nothing."""
        return Check(KEYS, ring.end)

    def failed(self) -> None:
        """Look at the keys anew: they are not what they were."""
        self._keys.forget(self._session)

    async def passed(self, fence: Change, done: Committed) -> None:
        """Note that the commit was made with `fence` as its last change."""
        if self._new is not None and isinstance(fence, Append) and not done.replayed:
            self._keys.remember(self._session, self._new, done.positions[-1])
            self._new = None
        await self.drop_unused()

    async def drop_unused(self) -> None:
        """Delete the data key that was made, if another one is used or nothing was written."""
        if self._new is not None:
            unused, self._new = self._new.key.id, None
            await self._keys.drop_unused(self._session, unused)
