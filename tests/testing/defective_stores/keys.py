"""Defects in the keys of commits."""

from collections.abc import Sequence
from typing import Any

from tests.testing.defective_stores.altering import check_early
from turnlog.changes import (
    Change,
    Check,
    Committed,
    Forget,
    Key,
    Remove,
    check_changes,
)
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.stores.memory import MemoryStore


class _AlteringKeys(MemoryStore):
    """Takes other keys than those it was given."""

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        return await super().commit(session, changes, key=key and self.altered(key))

    def altered(self, key: Key) -> Key | None:
        raise NotImplementedError


class StoresTwiceUnderAKey(_AlteringKeys):
    def altered(self, key: Key) -> Key | None:
        return None


class IgnoresBriefKeys(_AlteringKeys):
    def altered(self, key: Key) -> Key | None:
        return None if key.brief else key


class IgnoresDigests(_AlteringKeys):
    def altered(self, key: Key) -> Key | None:
        return key._replace(digest=b"")


class ShortensDigests(_AlteringKeys):
    def altered(self, key: Key) -> Key | None:
        return key._replace(digest=key.digest[:4])


class TakesKeysInAnyCase(_AlteringKeys):
    def altered(self, key: Key) -> Key | None:
        return key._replace(name=key.name.casefold())


class SharesKeysBetweenSessions(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self._done: dict[str, Committed] = {}

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        if key and key.name in self._done:
            return self._done[key.name]._replace(replayed=True)
        done = await super().commit(session, changes, key=key)
        if key:
            self._done[key.name] = done
        return done


class KeepsKeysOfOneLogOnly(MemoryStore):
    """Keys belong to the first log of a commit, and go with it."""

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        if isinstance(key, Key) and changes:
            key = Key.of(Log(session, changes[0].log), key.name, key.digest)
        return await super().commit(session, changes, key=key)


class _ForgettingKeys(MemoryStore):
    with_: type[Change]

    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        done = await super().commit(session, changes, **how)
        if any(isinstance(change, self.with_) for change in changes) and not how.get("key"):
            found = self._conversations.get(session)
            if found:
                found.keys.clear()
        return done


class ForgetsKeysWithTheRecords(_ForgettingKeys):
    with_ = Remove


class ForgetsKeysWithTheLog(_ForgettingKeys):
    with_ = Forget


class UsesTheKeyUpInAConflict(MemoryStore):
    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        try:
            return await super().commit(session, changes, key=key)
        except Conflict:
            if key:
                await super().commit(session, [Remove("main", after=10**9)], key=key)
            raise


class KeepsKeysOfWritingNothing(MemoryStore):
    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        done = await super().commit(session, changes, key=key)
        if key and not done.replayed:
            await super().commit(session, [Remove("main", after=10**9)], key=key)
        return done


class AsksConditionsBeforeTheKey(MemoryStore):
    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        if key and len(changes) == 1 and isinstance(changes[0], Check):
            await check_early(self, session, changes)
        return await super().commit(session, changes, key=key)


class NeverTellsOfAReplay(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        return (await super().commit(session, changes, **how))._replace(replayed=False)


class TakesEveryKeyForKnown(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        done = await super().commit(session, changes, **how)
        return done._replace(replayed=how.get("key") is not None)


class KeepsOnePositionOfAKey(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        done = await super().commit(session, changes, **how)
        return done._replace(positions=done.positions[:1]) if done.replayed else done
