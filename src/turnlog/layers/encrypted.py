"""Encrypted layer: a store in front of another one, which only ever holds sealed records."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Literal

from turnlog.changes import Append, Change, Check, Committed, Key, check_changes
from turnlog.errors import Conflict
from turnlog.layers.encryption.commits import SealedCommit, needs_key, waits_for_others
from turnlog.layers.encryption.data_keys import DataKeys, Ring
from turnlog.layers.encryption.key_records import KEYS
from turnlog.layers.encryption.opening import Opener
from turnlog.layers.encryption.provider import KeyProvider
from turnlog.layers.encryption.rotation import KeyCounts, Progress, Rotated, Rotation
from turnlog.layers.encryption.sealing import DataKey
from turnlog.loops.arrival import in_order_of_arrival
from turnlog.records import Log, Records, Unopened
from turnlog.store import Cursor, Head, Layer, Store

__all__ = ["Encrypted"]

Reading = Literal["ours", "ours+sdk", "ours+plain"]

#: Of how many conversations it is remembered where their logs end.
_REMEMBERED = 10_000


def _go_on(_: Rotated) -> None:
    """The progress that nobody asked for."""


class Encrypted(Layer):
    """Encrypts all payloads and notes with AES-256-GCM, with a data key for each conversation.

    store: the store behind it.
    keyring: wraps the data keys.
    keys: a store of its own for the wrapped data keys; by default they lie in `store`.
    reads: which records are shown beside those of this layer: "ours" none, "ours+plain" also
        plain ones, "ours+sdk" also those of the SDK's `EncryptedSession`.
    remember: for how many seconds data keys are remembered.
    """

    def __init__(
        self,
        store: Store,
        keyring: KeyProvider,
        *,
        keys: Store | None = None,
        reads: Reading = "ours",
        remember: float = 300,
    ) -> None:
        super().__init__(store)
        self._keys = DataKeys(store, keyring, keys, remember)
        self._opener = Opener(self._keys, _plain if reads == "ours+plain" else _refused)
        self._ends: dict[str, dict[str, int]] = {}
        self._rotation = Rotation(
            store, self._keys, self._opener, keyring, keys, reads_others=reads != "ours"
        )

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
        return await self._opener.records(log, stored)

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

    async def rewrap(
        self, session: str | None = None, *, prefix: str = "", progress: Progress = _go_on
    ) -> Rotated:
        """Wrap data keys with the primary key of the key ring; no record is touched.

        session: of this conversation; None: of all whose id begins with `prefix`.
        progress: called after each conversation with what was done so far; True ends the work.

        Data keys under the primary key are left as they are, so it can be stopped and done again
        at any time, while others read and write. Afterwards the other keys can be removed from
        the ring, if `key_counts` counts nothing under them. Of many conversations, one whose key
        can't be unwrapped is reported in `failed`; a single one raises `Unreadable`.
        """
        return await self._rotation.rewrap(session, prefix, progress)

    async def reseal(
        self,
        session: str | None = None,
        *,
        before: float | None = None,
        prefix: str = "",
        progress: Progress = _go_on,
    ) -> Rotated:
        """Seal records and notes with new data keys, and drop the older ones.

        session: of this conversation; None: of all whose id begins with `prefix`.
        before: only conversations whose newest data key was made before this time, in seconds
            since the epoch; None: now. To resume a work that was stopped, give the time at which
            it began: then conversations that were finished are skipped.
        progress: as for `rewrap`.

        What `reads` allows beside our own records, such as plain ones, is sealed as well. A record
        that can't be opened stays as it is, and so does its key; `unreadable` counts them.
        """
        return await self._rotation.reseal(session, prefix, before, progress)

    async def key_counts(self, *, prefix: str = "") -> KeyCounts:
        """How many conversations and data keys hang on which key of the key ring."""
        return await self._rotation.counts(prefix)

    async def destroy_keys(self, session: str) -> bool:
        """Destroy the data keys of a conversation, so that nobody can read it any more.

        It can't be undone. Returns whether it had any. Reads and writes raise `Unreadable` then;
        `delete` works. Other processes may remember its keys for `remember` seconds. Copies of
        the wrapped keys, such as backups of the store that holds them, can still be read.
        """
        return await self._rotation.destroy(session)

    def _ends_of(self, session: str) -> dict[str, int]:
        """Where the logs of `session` ended when they were last seen."""
        if len(self._ends) >= _REMEMBERED and session not in self._ends:
            self._ends.clear()
        return self._ends.setdefault(session, {})


def _check_names(*names: object) -> None:
    if KEYS in names:
        raise ValueError(f"the log {KEYS!r} is kept for the keys of the encryption")


def _plain(_: Log, payload: bytes) -> bytes:
    return payload


def _refused(_: Log, payload: bytes) -> bytes:
    return Unopened(payload, "it is not encrypted, and only encrypted records are read here")
