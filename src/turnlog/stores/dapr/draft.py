"""Draft of a session's next root: the changes of one commit, and what has to be sealed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from turnlog.changes import Annotate, Append, Change, Forget, Key, Remove, Replace
from turnlog.stores.clock import micros, now
from turnlog.stores.dapr.documents import Part, Ref, Rows, Span, groups, packed
from turnlog.stores.dapr.replacing import Opened
from turnlog.stores.dapr.root import KnownKey, LogHead, Root
from turnlog.stores.dapr.sealed import SortedMap
from turnlog.stores.dapr.tree import Rewrite, Tree

__all__ = ["Draft"]

#: The bytes that the open ends of all logs have together.
_OPEN = 4096
#: How many heads the root holds. One more, and those that were not written for longest are sealed.
_HEADS = 16
#: How many keys the root holds. One more, and all of them get documents of their own.
_KEYS = 16
#: Microseconds after which a brief key is forgotten.
_DAY = 86_400_000_000


class Draft:
    """The next root of a session, made by the changes of one commit.

    root: the root as it was found.
    life: the name of the session's life; a new one if the session doesn't exist.
    tree: gives the tree of each log by its name, and that of the session for "".
    """

    def __init__(self, root: Root, life: str, tree: Callable[[str], Tree]) -> None:
        self.root = root
        self.moment = now()
        #: Names the session's life from now on.
        self.life = life
        self._tree = tree
        #: The heads that are known, as they are by now, and the names of those that changed.
        self.heads = dict(root.logs)
        self._changed: set[str] = set()
        self._forgotten: set[str] = set()
        #: The logs whose last sealed records were moved back into the root.
        self._reopened: set[str] = set()
        #: The greatest position that was ever used.
        self.top = root.top if root.exists else max(root.top, self.moment)
        self.keys = root.keys
        self.copied = root.copied
        self.older = root.older
        self.renewed = root.renewed
        self._lists = {"lasting": root.lasting, "brief": root.brief}
        self._rewrites: dict[str, Rewrite] = {}
        #: By the names of logs: the documents that hold the records to be replaced.
        self._opened: dict[str, Opened] = {}
        #: Lists of keys whose documents are to be deleted.
        self.expired: list[Ref] = []

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to store."""
        root = self.root
        kept = (self.keys, self.copied, self.older) == (root.keys, root.copied, root.older)
        return bool(self._changed or self._forgotten) or not kept

    @property
    def horizon(self) -> int:
        """Brief keys that were used before this time are forgotten."""
        return self.moment - _DAY

    @property
    def rewrites(self) -> list[Rewrite]:
        """The rewrites of all trees that the commit concerns."""
        return list(self._rewrites.values())

    @property
    def ends(self) -> dict[str, int]:
        """The ends of the known logs by now."""
        return {name: head.last for name, head in self.heads.items()}

    @property
    def notes(self) -> dict[str, bytes]:
        """The notes of the known logs by now."""
        return {name: head.note for name, head in self.heads.items()}

    async def load(self, names: Iterable[str]) -> None:
        """Read the heads of these logs that the root doesn't hold. Raises `Gone`."""
        unknown = [name for name in names if name not in self.heads]
        if self.root.cold and unknown:
            found = await SortedMap(self._tree("")).get(self.root.cold, unknown)
            self.heads |= {name: LogHead.of_json(head) for name, head in found.items()}

    async def payloads(self, change: Replace) -> list[bytes | None]:
        """The payloads of the records that `change` is to replace; None where no record is.

        To be called before `change` is made. Raises `Gone`.
        """
        head = self.heads.get(change.log, LogHead(0, 0))
        opened = await Opened.read(self._tree(change.log), head.refs, change.positions)
        self._opened[change.log] = opened
        tail = zip(head.tail.positions, head.tail.payloads, strict=True)
        found = opened.payloads() | dict(tail)
        return [found.get(position) for position in change.positions]

    def begin(self) -> None:
        """Make the session, with an empty log "main", if it doesn't exist."""
        if "main" not in self.heads:
            self.put("main", LogHead(self.moment, self.moment))

    async def make(self, change: Change) -> None:
        """Make one change, whose condition holds. Raises `Gone`."""
        match change:
            case Append(name, payloads, _, cut, times):
                if cut is not None:
                    await self._remove(name, Span(cut, None))
                if payloads:
                    self._append(name, payloads, times)
            case Remove(name, after, before):
                await self._remove(name, Span(after, before))
            case Annotate(name, note):
                self.put(name, replace(self._touched(name), note=note))
            case Replace(name, positions, payloads):
                self._replace(name, dict(zip(positions, payloads, strict=True)))
            case Forget(name):
                self._forget(name)

    def remember(self, key: Key, positions: Sequence[int]) -> None:
        """Remember `key`, and forget the brief keys that are older than a day."""
        kept = [known for known in self.keys if not known.at or known.at > self.horizon]
        at = self.moment if key.brief else 0
        self.keys = (*kept, KnownKey(key.hash.hex(), key.digest, tuple(positions), at))

    async def finish(self) -> Root:
        """The next root, within its bounds: the rest is in the rewrites. Raises `Gone`."""
        self._seal_keys()
        logs = {name: head for name, head in self.root.logs.items() if name in self.heads}
        logs |= {name: self.heads[name] for name in self._changed}
        self._seal_tails(logs)
        cold = await self._sealed_heads(logs)
        return replace(
            self.root,
            life=self.life if logs else "",
            top=self.top,
            logs=logs,
            cold=tuple(cold),
            keys=self.keys,
            lasting=self._lists["lasting"],
            brief=self._lists["brief"],
            renewed=self.renewed or self.moment,
            copied=self.copied,
            older=self.older,
        )

    def rewrite(self, name: str) -> Rewrite:
        """The rewrite of a log's tree; "": of the session's."""
        if name not in self._rewrites:
            self._rewrites[name] = Rewrite(self._tree(name))
        return self._rewrites[name]

    def put(self, name: str, head: LogHead) -> None:
        """Make `head` the head of a log."""
        self.heads[name] = head
        self._changed.add(name)
        self._forgotten.discard(name)

    def _touched(self, name: str) -> LogHead:
        head = self.heads.get(name)
        if head is None:
            return LogHead(self.moment, self.moment)
        return replace(head, updated=max(self.moment, head.updated + 1))

    def _append(
        self, name: str, payloads: Sequence[bytes], times: Sequence[float | None] | None
    ) -> None:
        head = self._touched(name)
        at = [
            head.updated if time is None else micros(time)
            for time in times or [None] * len(payloads)
        ]
        positions = list(range(self.top + 1, self.top + 1 + len(payloads)))
        self.top = positions[-1]
        rows = Rows.joined([head.tail, Rows(positions, at, list(payloads))])
        self._put_rows(name, head, rows)

    def _put_rows(self, name: str, head: LogHead, rows: Rows) -> None:
        """Make `rows` the open end of a log; those that fill documents are sealed."""
        *full, tail = groups(rows)
        refs = [self.rewrite(name).leaf(rows) for rows in full]
        self.put(name, replace(head, refs=self._folded(name, head.refs, refs), tail=tail))

    def _replace(self, name: str, new: Mapping[int, bytes]) -> None:
        if not new:
            return
        head, rewrite = self.heads[name], self.rewrite(name)
        refs = self._opened[name].rewritten(head.refs, new, rewrite)
        if len(refs) > len(head.refs):  # a document became several
            refs = rewrite.folded(refs)
        rows = head.tail.with_payloads(new)
        self._put_rows(name, replace(head, refs=tuple(refs)), rows)

    def _folded(self, name: str, refs: Sequence[Ref], more: Sequence[Ref]) -> tuple[Ref, ...]:
        return tuple(self.rewrite(name).folded([*refs, *more]) if more else refs)

    async def _remove(self, name: str, span: Span) -> None:
        head = self.heads.get(name)
        if head is None:
            return
        rewrite = self.rewrite(name)
        refs = await rewrite.cut(head.refs, span)
        tail = head.tail.outside(span)
        if refs and not tail and (rows := rewrite.take_back(refs[-1])) is not None:
            refs, tail = refs[:-1], rows
            self._reopened.add(name)
        left = replace(self._touched(name), refs=tuple(refs), tail=tail)
        if left.length != head.length:
            self.put(name, left)

    def _forget(self, name: str) -> None:
        head = self.heads.get(name)
        if head is None or (name == "main" and not head.length and not head.note):
            return
        del self.heads[name]
        self.rewrite(name).dropped += head.refs
        self._changed.discard(name)
        self._forgotten.add(name)
        if name == "main":
            self.put(name, LogHead(head.created, max(self.moment, head.updated + 1)))

    def _seal_tails(self, logs: dict[str, LogHead]) -> None:
        """Seal the largest open ends until the rest fits into the root."""

        def rank(name: str) -> tuple[bool, int]:
            size = logs[name].tail.size
            # A log that is popped is probably popped again: its end is sealed after all others.
            return size > 0 and name not in self._reopened, size

        while sum(head.tail.size for head in logs.values()) > _OPEN:
            self._seal_tail(logs, max(logs, key=rank))

    def _seal_tail(self, logs: dict[str, LogHead], name: str) -> None:
        head = logs[name]
        if head.tail:
            leaf = self.rewrite(name).leaf(head.tail)
            refs = self._folded(name, head.refs, [leaf])
            logs[name] = replace(head, refs=refs, tail=Rows.none())

    async def _sealed_heads(self, logs: dict[str, LogHead]) -> list[Part]:
        """Move heads of `logs` into the map of cold ones, if they are too many."""
        changes: dict[str, object] = {}
        if self.root.cold:
            changes = dict.fromkeys(self._forgotten)
        if len(logs) > _HEADS:
            others = sorted(logs.keys() - {"main"}, key=lambda name: logs[name].updated)
            for name in others[: len(logs) - _HEADS // 2]:
                self._seal_tail(logs, name)
                changes[name] = logs.pop(name).to_json()
        if not changes:
            return list(self.root.cold)
        cold = SortedMap(self._tree(""))
        return await cold.merged(self.root.cold, changes, self.rewrite(""))

    def _seal_keys(self) -> None:
        """Move the keys into documents of their own, if they are too many; forget brief ones."""
        if len(self.keys) <= _KEYS:
            return
        session = self.rewrite("")
        *older, newest = self.keys
        for known in older:
            # Equal for all writers, so that none can damage another's.
            document = session.tree.paths.written(known.hash)
            session.facts[document] = packed([self.life, *known.to_json()])
        for kind in ("lasting", "brief"):
            names = [known.hash for known in older if bool(known.at) == (kind == "brief")]
            self._lists[kind] = self._with_list(self._lists[kind], names)
        brief = self._lists["brief"]
        self.expired += [ref for ref in brief if ref.last < self.horizon]
        self._lists["brief"] = tuple(ref for ref in brief if ref.last >= self.horizon)
        self.keys = (newest,)

    def _with_list(self, lists: tuple[Ref, ...], names: list[str]) -> tuple[Ref, ...]:
        if not names:
            return lists
        rewrite = self.rewrite("")
        return tuple(rewrite.folded([*lists, rewrite.listed(names, self.moment)]))
