"""Commits: the changes of one call, made in a draft of the session's next root."""

from __future__ import annotations

import re
from collections.abc import Sequence

from turnlog.changes import (
    Change,
    Committed,
    Key,
    Replace,
    check_conditions,
    makes_session,
    writes,
)
from turnlog.stores.dapr.documents import unpacked
from turnlog.stores.dapr.draft import Draft
from turnlog.stores.dapr.keys import Paths, digest
from turnlog.stores.dapr.older import former_hash
from turnlog.stores.dapr.root import KnownKey
from turnlog.stores.dapr.sessionfile import Found

__all__ = ["Commit"]

#: The name of a `Key.of` begins with the length of its log's name.
_OF_A_LOG = re.compile(r"(\d+):", re.ASCII)


class Commit:
    """One call of `commit`.

    paths: the keys of the session's documents.
    """

    def __init__(
        self, session: str, changes: Sequence[Change], key: Key | None, paths: Paths
    ) -> None:
        self._session = session
        self._changes = changes
        self._key = key
        self._hashes = [] if key is None else _hashes(key)
        #: The keys of documents that `make` has to find.
        self.documents = [paths.written(each) for each in self._hashes]

    async def make(self, found: Found, draft: Draft) -> Committed:
        """Make the changes, once. Work of `SessionFile.write`."""
        earlier = self._earlier(found)
        if earlier is not None:
            return earlier
        await draft.load(change.log for change in self._changes)
        await self._check(draft)
        if not found.root.exists and not makes_session(self._changes, self._key):
            return Committed.at(self._changes, {})
        draft.begin()
        for change in self._changes:
            await draft.make(change)
        done = Committed.at(self._changes, draft.ends)
        if self._key is not None and writes(self._changes):
            draft.remember(self._key, done.positions)
        return done

    async def _check(self, draft: Draft) -> None:
        """Raise `Conflict` if a condition fails."""
        replaces = [change for change in self._changes if isinstance(change, Replace)]
        stored = {change.log: await draft.payloads(change) for change in replaces}
        check_conditions(
            self._session,
            self._changes,
            draft.ends,
            draft.notes,
            lambda change: stored[change.log],
        )

    def _earlier(self, found: Found) -> Committed | None:
        """The result of the earlier commit with this key; None if there was none."""
        if self._key is None:
            return None
        known = {each.hash: each for each in found.root.keys} | self._sealed(found)
        for each in self._hashes:
            if each in known:
                self._key.check_digest(known[each].digest)
                return Committed(known[each].positions, replayed=True)
        return None

    def _sealed(self, found: Found) -> dict[str, KnownKey]:
        """The keys of this life of the session that have documents of their own."""
        documents = (found.others[key] for key in self.documents if key in found.others)
        values = (unpacked(document.data) for document in documents)
        known = [KnownKey.of_json(value) for life, *value in values if life == found.root.life]
        return {each.hash: each for each in known}


def _hashes(key: Key) -> list[str]:
    """The hashes by which a root may know this key."""
    hashes = [key.hash.hex()]
    start = _OF_A_LOG.match(key.name)
    if start is not None:
        log_end = start.end() + int(start[1])
        log, name = key.name[start.end() : log_end], key.name[log_end:]
        hashes.append(former_hash(log, digest(name)))
    return hashes
