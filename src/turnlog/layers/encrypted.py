"""Encrypted layer: a store in front of another one, which only ever holds sealed records."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from turnlog.changes import Append, Change, Check, Committed, Key, check_changes
from turnlog.errors import Conflict
from turnlog.layers.encryption.commits import SealedCommit, needs_key, waits_for_others
from turnlog.layers.encryption.data_keys import DataKeys, Ring
from turnlog.layers.encryption.key_records import KEYS
from turnlog.layers.encryption.opening import Opener
from turnlog.layers.encryption.provider import KeyProvider
from turnlog.layers.encryption.sealing import DataKey
from turnlog.layers.encryption.unsealed import (
    Reading,
    check_sdk_key,
    may_be_wrong_key,
    reads_of,
)
from turnlog.loops.arrival import in_order_of_arrival
from turnlog.records import Log, Records
from turnlog.store import Cursor, Head, Layer, Store

__all__ = ["Encrypted"]

#: Of how many conversations it is remembered where their logs end.
_REMEMBERED = 10_000


class Encrypted(Layer):
    """Encrypts all payloads and notes with AES-256-GCM, with a data key for each conversation.

    store: the store behind it.
    keyring: wraps the data keys.
    keys: a store of its own for the wrapped data keys; by default they lie in `store`.
    reads: which records are shown beside those of this layer: "ours" none, "ours+plain" also
        plain ones, "ours+sdk" also those of the SDK's `EncryptedSession`.
    sdk_key: with "ours+sdk", the key of those items.
    remember: for how many seconds data keys are remembered.
    """

    def __init__(
        self,
        store: Store,
        keyring: KeyProvider,
        *,
        keys: Store | None = None,
        reads: Reading = "ours",
        sdk_key: str | bytes | None = None,
        remember: float = 300,
    ) -> None:
        super().__init__(store)
        try:
            unsealed = reads_of(reads, sdk_key)
        finally:
            del sdk_key  # so that it is not in the frame of an error
        self._keys = DataKeys(store, keyring, keys, remember)
        self._opener = Opener(self._keys, unsealed)
        self._reads_sdk = reads == "ours+sdk"
        self._ends: dict[str, dict[str, int]] = {}

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        _check_names(*(change.log for change in changes))
        if not needs_key(changes):
            return await self.inner.commit(session, changes, key=key)
        async with self._turn(session, changes):
            return await self._commit(session, changes, key)

    def _turn(self, session: str, changes: Sequence[Change]) -> AbstractAsyncContextManager[None]:
        """Commits of this event loop that would disturb each other come one after the other."""
        if waits_for_others(changes):
            return in_order_of_arrival((self, session))
        return nullcontext()

    async def _commit(self, session: str, changes: Sequence[Change], key: Key | None) -> Committed:
        ends = self._ends_of(session)
        draft = SealedCommit(self.inner, self._opener, session, changes, ends)
        while True:
            ring = await self._keys.ring(session)
            data_key, fence = await self._fence(session, ring)
            try:
                sealed = await draft.sealed(data_key)
                done = await self.inner.commit(session, [*sealed, fence], key=key)
            except Conflict as conflict:
                if conflict.log.name == KEYS:
                    self._keys.forget(session)
                elif not await draft.learn(conflict):
                    raise
                continue
            if isinstance(fence, Append):
                self._keys.forget(session)
            if not done.replayed:
                ends.update(zip((each.log for each in changes), done.positions, strict=False))
            return done._replace(positions=done.positions[: len(changes)])

    async def _fence(self, session: str, ring: Ring) -> tuple[DataKey, Change]:
        """The key to seal with, and the change that makes sure that it is still the newest."""
        ring.check_not_destroyed()
        if ring.newest is not None:
            return await self._keys.key(ring, ring.newest), Check(KEYS, ring.end)
        data_key, record = await self._keys.made(session)
        return data_key, Append(KEYS, [record.payload()], expect=ring.end)

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        oldest: bool = False,
    ) -> Records:
        _check_names(log.name)
        stored = await self.inner.read(log, after=after, before=before, limit=limit, oldest=oldest)
        if stored and before is None and not oldest:
            self._ends_of(log.session)[log.name] = stored.positions[-1]
        opened = await self._opener.records(log, stored)
        if self._reads_sdk and may_be_wrong_key(opened.payloads):
            whole = await self._opener.records(log, await self.inner.read(log))
            check_sdk_key(log, whole.payloads)
        return opened

    async def logs(self, session: str) -> list[Head]:
        heads = await self.inner.logs(session)
        return [await self._opener.head(head) for head in heads if head.log.name != KEYS]

    async def sessions(
        self,
        *,
        prefix: str = "",
        after: Cursor | None = None,
        limit: int = 50,
        oldest: bool = False,
    ) -> list[Head]:
        heads = await self.inner.sessions(prefix=prefix, after=after, limit=limit, oldest=oldest)
        return [await self._opener.head(head) for head in heads]

    async def delete(self, session: str, *, expect: int | None = None) -> None:
        await self.inner.delete(session, expect=expect)
        self._keys.forget(session)

    def _ends_of(self, session: str) -> dict[str, int]:
        """Where the logs of `session` ended when they were last seen."""
        if len(self._ends) >= _REMEMBERED and session not in self._ends:
            self._ends.clear()
        return self._ends.setdefault(session, {})


def _check_names(*names: object) -> None:
    if KEYS in names:
        raise ValueError(f"the log {KEYS!r} is kept for the keys of the encryption")
