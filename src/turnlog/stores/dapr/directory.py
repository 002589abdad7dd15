"""Directory: all sessions, by the time of their last change and by id.

It is sixteen sorted maps; a session is in one of them, under two keys. The first begins with
a time that is not later than the last change of the session's log "main" and at most `SLACK`
earlier. So the entry moves once in `SLACK`, and not with every write, and yet a page needs to
look at those sessions only that were changed in about the same time.

An entry is added before the root that names it is stored, and removed after another root was.
So each session is listed once at any time; entries that no root names are passed over.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from turnlog.store import prefix_end
from turnlog.stores.dapr.cells import Cell, Edit, Version
from turnlog.stores.dapr.documents import Part, Rows, Span
from turnlog.stores.dapr.keys import shard_of, shards
from turnlog.stores.dapr.older import HeadDocument
from turnlog.stores.dapr.root import FORMAT, Root, check_format
from turnlog.stores.dapr.sealed import Range, SortedMap
from turnlog.stores.dapr.sidecar import Sidecar
from turnlog.stores.dapr.tree import Gone, Rewrite, Tree

__all__ = [
    "SLACK",
    "Directory",
    "Listed",
    "Scanned",
    "Shard",
    "entered",
    "entries",
    "from_time",
    "id_of",
    "with_prefix",
]

#: Microseconds that an entry may be older than the last change of its session.
SLACK = 30_000_000

#: How many changes a shard collects before it makes them in its map.
_COLLECTED = 32
_TIME = 16
_LIFE = 12
_TOKEN = 4


class Listed(NamedTuple):
    """An entry of the directory by time, as its key holds it."""

    #: What the session's root must name.
    entry: str
    session: str

    @classmethod
    def of(cls, key: str) -> Listed:
        """The entry with this key."""
        end = 1 + _TIME + _LIFE + _TOKEN
        return cls(key[1:end], key[end:])

    @property
    def time(self) -> int:
        """Microseconds since the epoch."""
        return int(self.entry[:_TIME])

    @property
    def time_key(self) -> str:
        """The key of this entry."""
        return f"t{self.entry}{self.session}"

    @property
    def id_key(self) -> str:
        """The other key of the session, by which it is found by a prefix."""
        return f"i{self.session}{self.entry[_TIME : _TIME + _LIFE]}"

    def has(self, prefix: str) -> bool:
        """Whether the session's id begins with `prefix`."""
        return self.session.startswith(prefix)


def entered(root: Root) -> Root:
    """`root` with the entry that it must have in the directory."""
    main = root.logs.get("main")
    if main is None:
        return root
    if root.entry and main.updated <= Listed(root.entry, "").time + SLACK:
        return root
    token = secrets.token_hex(_TOKEN // 2)
    return replace(root, entry=f"{main.updated:0{_TIME}}{root.life}{token}")


def entries(session: str, root: Root) -> set[str]:
    """The keys of a session in the directory."""
    listed = Listed(root.entry, session)
    return {listed.time_key, listed.id_key} if root.entry else set()


def from_time(time: int) -> str:
    """The least key of an entry of this time or a later one."""
    return f"t{max(time, 0):0{_TIME}}"


def with_prefix(prefix: str) -> Range:
    """The keys of all sessions whose ids begin with `prefix`, and of a few others."""
    return Range(f"i{prefix}", prefix_end(f"i{prefix}"))


def id_of(key: str) -> str:
    """The id of the session with this key."""
    return key[1:-_LIFE]


@dataclass(frozen=True)
class Shard:
    """One of the sorted maps, with the changes that are not made in it yet."""

    parts: tuple[Part, ...] = ()
    #: 1 for a key that was added, None for one that was removed.
    changes: Mapping[str, int | None] = field(default_factory=dict)
    #: The directory in the older format, as long as its sessions are to be moved.
    older: list[Any] | None = None

    @classmethod
    def of_json(cls, body: list[Any] | None) -> Shard:
        """The shard that a document holds, in either format."""
        if body is None:
            return cls()
        if isinstance(body[0], bool):
            return cls(older=body)
        check_format(body[0])
        _, parts, changes, older = body
        return cls(tuple(Part(*part) for part in parts), changes, older)

    def to_json(self) -> list[Any]:
        """As a list."""
        return [FORMAT, self.parts, self.changes, self.older]


class _Found(NamedTuple):
    version: Version
    shard: Shard


class Scanned(NamedTuple):
    """The keys of a shard that a scan found, in order."""

    keys: list[str]
    #: The key at which the scan stopped; None: it read the whole range.
    edge: str | None


class Directory:
    """The directory of one component."""

    def __init__(self, sidecar: Sidecar) -> None:
        # It has no ttl: a session's writes don't renew its entry.
        self.sidecar = Sidecar(sidecar.calls, sidecar.store_name, sidecar.consistency, None)
        self._trees = [Tree(self.sidecar, paths) for paths in shards()]

    async def update(
        self, session: str, *, add: Collection[str] = (), remove: Collection[str] = ()
    ) -> None:
        """Add and remove keys of one session."""
        if add or remove:
            await self.change(shard_of(session), dict.fromkeys(remove) | dict.fromkeys(add, 1))

    async def change(self, number: int, changes: Mapping[str, int | None]) -> None:
        """Add keys to one shard (1) and remove others (None)."""

        async def make(shard: Shard, rewrite: Rewrite) -> Shard | None:
            waiting = {**shard.changes, **changes}
            if len(waiting) <= _COLLECTED:
                return replace(shard, changes=waiting)
            parts = await self._map(number).merged(shard.parts, waiting, rewrite)
            return replace(shard, parts=tuple(parts), changes={})

        if changes:
            await self._write(number, make)

    async def forget(self, sessions: Mapping[str, str]) -> None:
        """Remove these keys, each of the session that it maps to."""
        shares: dict[int, dict[str, None]] = {}
        for key, session in sessions.items():
            shares.setdefault(shard_of(session), {})[key] = None
        for number, changes in shares.items():
            await self.change(number, changes)

    async def forget_older(self, number: int, older: list[Any]) -> None:
        """Remove the directory in the older format, whose sessions were moved."""

        async def make(shard: Shard, rewrite: Rewrite) -> Shard | None:
            if shard.older != older:
                return None
            rewrite.dropped += HeadDocument.of_json(older).head.refs
            return replace(shard, older=None)

        await self._write(number, make)

    async def ids_in_older(self, number: int, older: list[Any]) -> list[str]:
        """The ids of sessions in a shard in the older format. Raises `Gone`."""
        head = HeadDocument.of_json(older).head
        sealed = await self._trees[number].read(head.refs, Span(0, None), None)
        return [payload.decode() for payload in Rows.joined([sealed, head.tail]).payloads]

    async def shards(self) -> list[Shard]:
        """All shards, as one request finds them."""
        heads = [tree.paths.head for tree in self._trees]
        found = await self.sidecar.find(*heads)
        return [Shard.of_json(Version.of(found.get(head)).body) for head in heads]

    async def scan(
        self, number: int, shard: Shard, inside: Range, limit: int, *, last: bool
    ) -> Scanned:
        """About the first `limit` keys inside a range, or the last. Raises `Gone`."""
        sealed = await self._map(number).scan(shard.parts, inside, limit, last=last)
        found = {key for key, _ in sealed}
        edge = None
        if len(sealed) == limit:
            edge = sealed[0 if last else -1][0]
            inside = Range(edge, inside.stop) if last else Range(inside.start, f"{edge}\0")
        for key, value in shard.changes.items():
            if not value:
                found.discard(key)
            elif inside.holds(key):
                found.add(key)
        return Scanned(sorted(found), edge)

    async def count(self, number: int, shard: Shard, inside: Range) -> int:
        """About how many keys are inside a range: never fewer than there are. Raises `Gone`."""
        new = sum(inside.holds(key) for key, value in shard.changes.items() if value)
        return new + await self._map(number).count(shard.parts, inside)

    def _map(self, number: int) -> SortedMap:
        return SortedMap(self._trees[number])

    async def _write(
        self, number: int, make: Callable[[Shard, Rewrite], Awaitable[Shard | None]]
    ) -> None:
        """Change one shard; None leaves it as it is."""
        tree = self._trees[number]
        rewrites: list[Rewrite] = []

        async def find() -> _Found:
            found = await self.sidecar.find(tree.paths.head)
            version = Version.of(found.get(tree.paths.head))
            return _Found(version, Shard.of_json(version.body))

        async def edit(found: _Found) -> Edit[Rewrite | None] | None:
            rewrite = Rewrite(tree)
            try:
                shard = await make(found.shard, rewrite)
            except Gone:
                if (await find()).version.changes == found.version.changes:
                    raise
                return None
            if shard is None:
                return Edit(None)
            rewrites.append(rewrite)
            await rewrite.save()
            return Edit(rewrite, shard.to_json())

        stored = await Cell(self.sidecar, tree.paths.head).update(find, edit)
        for rewrite in rewrites:
            await rewrite.tidy(stored is rewrite)
