"""Encrypted layer: a store in front of another one, which only ever holds sealed records."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial

from turnlog.changes import Change, Committed, Key, check_changes
from turnlog.errors import Conflict
from turnlog.layers.encryption.commits import SealedCommit, needs_key, waits_for_others
from turnlog.layers.encryption.data_keys import DataKeys
from turnlog.layers.encryption.digests import committed
from turnlog.layers.encryption.fence import Fence
from turnlog.layers.encryption.key_records import KEYS
from turnlog.layers.encryption.opening import Opener
from turnlog.layers.encryption.provider import KeyProvider
from turnlog.layers.encryption.reading import read_and_opened
from turnlog.layers.encryption.ring import Ring
from turnlog.layers.encryption.rotated import KeyCounts, Progress, Rotated
from turnlog.layers.encryption.rotation import Rotation
from turnlog.layers.encryption.unsealed import Reading, reads_of
from turnlog.loops.arrival import in_order_of_arrival
from turnlog.records import Log, Records
from turnlog.store import END, Cursor, Head, Layer, Store, check

__all__ = ["Encrypted"]

#: Of how many conversations it is remembered where their logs end.
_REMEMBERED = 10_000


def _go_on(_: Rotated) -> None:
    """The progress that nobody asked for."""


class Encrypted(Layer):
    """Encrypts all payloads and notes with AES-256-GCM, with a data key for each conversation.

    store: the store behind it.
    keyring: wraps the data keys.
    keys: a store of its own for the wrapped data keys; by default they lie in `store`. Both are
        closed with this one.
    reads: which records are shown beside those of this layer: "ours" none, "ours+plain" also
        plain ones, "ours+sdk" also those of the SDK's `EncryptedSession`.
    sdk_key: with "ours+sdk", the key of those items.
    remember: for how many seconds data keys are remembered. For so long, a process reads a
        conversation whose keys another process has destroyed.

    Listing, removal and deletion need no key. Everything else raises `Unreadable` before anything
    is written if the key is missing or wrong.
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
        _check_arguments(store, keyring, keys, remember)
        try:
            unsealed = reads_of(reads, sdk_key)
        finally:
            del sdk_key  # so that it is not in the frame of an error
        self._elsewhere = keys if keys is None or keys.identity != store.identity else None
        self._keys = DataKeys(store, keyring, self._elsewhere, remember)
        self._opener = Opener(self._keys, unsealed)
        self._adopts = reads != "ours"
        self._commit = partial(committed, store, self._adopts)
        self._ends: dict[str, dict[str, int]] = {}
        self._rotation = Rotation(
            store,
            self._keys,
            self._opener,
            keyring,
            self._elsewhere,
            adopts=self._adopts,
        )

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        _check_names(*(change.log for change in changes))
        if needs_key(changes, key):
            async with self._turn(session, changes):
                return await self._sealed(session, changes, key)
        if key is not None:
            return await self._fenced(session, changes, key)
        return self._seen(session, changes, await self.inner.commit(session, changes))

    def _turn(self, session: str, changes: Sequence[Change]) -> AbstractAsyncContextManager[None]:
        """Commits of this event loop that would disturb each other come one after the other."""
        if waits_for_others(changes):
            return in_order_of_arrival((self, session))
        return nullcontext()

    async def _sealed(self, session: str, changes: Sequence[Change], key: Key | None) -> Committed:
        draft = SealedCommit(self.inner, self._opener, session, changes, self._ends_of(session))
        fence, commit = Fence(self._keys, session), self._commit
        while True:
            ring = await self._ring(draft, fence)
            data_key, last = await fence.key(ring)
            try:
                sealed = await draft.sealed(data_key)
                done = await commit(session, [*sealed, last], key, data_key)
            except Conflict as conflict:
                if conflict.log.name == KEYS:
                    fence.failed()
                elif not await _learned(draft, conflict, fence):
                    raise
            else:
                await fence.passed(last, done)
                return self._seen(session, changes, self._without_fence(changes, done))

    async def _ring(self, draft: SealedCommit, fence: Fence) -> Ring:
        """The keys of the conversation. Raises `Unreadable` if they are missing."""
        ring = await fence.ring()
        while ring.end == 0 and (found := await draft.forbidden()):
            # It may have been encrypted, or deleted, since its keys were looked at.
            fence.failed()
            ring = await fence.ring()
            if ring.end == 0 and await draft.forbidden() == found:
                raise found.error
        return ring

    async def _fenced(self, session: str, changes: Sequence[Change], key: Key) -> Committed:
        """A commit that seals nothing. It has a fence too, as every commit with a key has."""
        fence, commit = Fence(self._keys, session), self._commit
        while True:
            ring = await fence.ring()
            data_key = await fence.known(ring) if key.digest else None
            last = fence.check(ring)
            try:
                done = await commit(session, [*changes, last], key, data_key)
            except Conflict as conflict:
                if conflict.log.name != KEYS:
                    raise
                fence.failed()
            else:
                return self._seen(session, changes, self._without_fence(changes, done))

    def _without_fence(self, changes: Sequence[Change], done: Committed) -> Committed:
        """`done` without the position of the fence, which is the last one."""
        if done.replayed and self._adopts and len(done.positions) == len(changes):
            return done  # The first commit was made before the store was encrypted.
        return done._replace(positions=done.positions[:-1])

    def _seen(self, session: str, changes: Sequence[Change], done: Committed) -> Committed:
        """`done`; where the logs end now is remembered."""
        if not done.replayed:
            ends = self._ends_of(session)
            for change, position in zip(changes, done.positions, strict=True):
                ends[change.log] = position
        return done

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
        # One more is read, so that a record that was moved here is seen beside a neighbour.
        more = limit + 1 if limit and 0 < limit < END else limit
        read = partial(self.inner.read, log, after=after, before=before, limit=more, oldest=oldest)
        records: Records = await read_and_opened(read, partial(self._opener.records, log))
        if records and before is None and not oldest:
            self._ends_of(log.session)[log.name] = records.positions[-1]
        if await self._opener.may_look_empty(log, records):
            whole = await self._opener.records(log, await self.inner.read(log))
            await self._opener.check_not_empty(log, whole)
        return _limited(records, limit, oldest)

    async def logs(self, session: str) -> list[Head]:
        heads = await read_and_opened(partial(self.inner.logs, session), self._opener.heads)
        return [head for head in heads if head.log.name != KEYS]

    async def sessions(
        self,
        *,
        prefix: str = "",
        after: Cursor | None = None,
        limit: int = 50,
        oldest: bool = False,
    ) -> list[Head]:
        read = partial(self.inner.sessions, prefix=prefix, after=after, limit=limit, oldest=oldest)
        return await read_and_opened(read, self._opener.heads)

    async def delete(self, session: str, *, expect: int | None = None) -> None:
        """Delete `session`, and its keys in the store of the keys.

        Its keys there are those that it had before; what another process writes anew under this
        id keeps its own. If this is interrupted, wrapped keys may be left that nothing needs.
        """
        check(session)
        listed = await self._keys.listed(session) if self._elsewhere is not None else ()
        await self.inner.delete(session, expect=expect)
        self._keys.forget(session)
        self._ends.pop(session, None)
        await self._keys.drop(session, listed)

    async def aclose(self) -> None:
        try:
            await self.inner.aclose()
        finally:
            self._keys.forget_all()
            if self._elsewhere is not None:
                await self._elsewhere.aclose()

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
        """Counts of the conversations and data keys that each key of the key ring has wrapped."""
        return await self._rotation.counts(prefix)

    async def destroy_keys(self, session: str) -> bool:
        """Destroy the data keys of a conversation, so that nobody can read it any more.

        It can't be undone. Returns whether it had any. Reads and writes raise `Unreadable` then;
        `delete` works. Other processes may remember its keys for `remember` seconds. Copies of
        the wrapped keys, such as backups of the store that holds them, can still be read.
        """
        return await self._rotation.destroy(session)

    async def keys_destroyed(self, session: str) -> bool:
        """Whether the data keys of a conversation were destroyed."""
        return (await self._keys.load(session)).destroyed_at is not None

    def _ends_of(self, session: str) -> dict[str, int]:
        """Where the logs of `session` ended when they were last seen."""
        ends = self._ends.get(session)
        if ends is None:
            if len(self._ends) >= _REMEMBERED:
                self._ends.clear()
            ends = self._ends.setdefault(session, {})
        return ends


async def _learned(draft: SealedCommit, conflict: Conflict, fence: Fence) -> bool:
    """Whether the commit is to be tried again. If not, the key that was made for it is deleted."""
    try:
        is_guess = await draft.learn(conflict)
    except Conflict:
        await fence.drop_unused()
        raise
    if not is_guess:
        await fence.drop_unused()
    return is_guess


def _limited(records: Records, limit: int | None, oldest: bool) -> Records:
    if limit is None or len(records) <= limit:
        return records
    return records[:limit] if oldest else records[len(records) - limit :]


def _check_arguments(store: object, keyring: object, keys: object, remember: object) -> None:
    """Raise for arguments that would fail only later, or in a way that is hard to understand."""
    if not isinstance(store, Store) or not isinstance(keys, Store | None):
        raise TypeError("store and keys must be stores, such as open_store(url)")
    if not (hasattr(keyring, "wrap") and hasattr(keyring, "unwrap")):
        raise TypeError(
            "keyring must be a Keyring, such as Keyring.from_file(path), or another KeyProvider"
        )
    if not isinstance(remember, int | float) or not remember >= 0:
        raise ValueError("remember must be a number of seconds, 0 or more")
    while isinstance(store, Layer):
        if isinstance(store, Encrypted):
            message = "the store is encrypted already: put one Encrypted in front of it, not two"
            raise ValueError(message)  # noqa: TRY004 - the type is right
        store = store.inner


def _check_names(*names: object) -> None:
    if KEYS in names:
        raise ValueError(f"the log {KEYS!r} is kept for the keys of the encryption")
