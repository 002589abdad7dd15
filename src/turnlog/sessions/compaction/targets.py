"""Targets: the ways in which the items of a session are replaced by what a compaction has made."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

from turnlog.items.json import Item, copied
from turnlog.loops.finishing import finished
from turnlog.sessions.compaction.automatic import Stored
from turnlog.sessions.compaction.replacing import Read, replaced
from turnlog.sessions.compaction.summarising import ShownBranch

__all__ = ["Appending", "Made", "Rewriting", "Suffix", "Target", "as_it_is"]


def as_it_is(items: list[Item]) -> list[Item]:
    """`items`: nothing has to be done to them."""
    return items


class Made(NamedTuple):
    """What a compaction has made, the model that did it, and what that has cost."""

    output: list[Item]
    model: str
    usage: Item | None


class Target(ABC):
    """What is stored, and how it is replaced."""

    #: As the session around sees it.
    stored: Stored

    @abstractmethod
    async def replace(self, start: int, made: Made, done: Callable[[], None]) -> bool:
        """Have `made` stand for the items of `stored` from index `start` on.

        done: called as soon as that is certain.

        False, with nothing changed, if what is stored has changed meanwhile.
        """


class Appending(Target):
    """A session of ours, to which a summary is appended.

    found: what its branch shows.
    stored: the same, as a session around it sees it.
    prepare: makes of items what is to be stored.
    """

    def __init__(
        self,
        found: ShownBranch,
        stored: Stored,
        prepare: Callable[[list[Item]], list[Item]] = as_it_is,
    ) -> None:
        self.stored = stored
        self._found = found
        self._prepare = prepare

    async def replace(self, start: int, made: Made, done: Callable[[], None]) -> bool:
        items = [*self._found.items[:start], *self._prepare(made.output)]
        return await finished(self._append(items, made, done))

    async def _append(self, items: list[Item], made: Made, done: Callable[[], None]) -> bool:
        is_done = await self._found.summarise(items, made.model, made.usage)
        if is_done:
            done()  # before a cancellation is heeded
        return is_done


class Suffix(Target):
    """A session that can replace its last items in one step; see `Snapshot`."""

    def __init__(self, snapshot: Any) -> None:
        self._snapshot = snapshot
        self.stored = Stored([*snapshot.items], snapshot.complete, most_kept=sys.maxsize)

    async def replace(self, start: int, made: Made, done: Callable[[], None]) -> bool:
        return await finished(self._replace(start, made.output, done))

    async def _replace(self, start: int, output: list[Item], done: Callable[[], None]) -> bool:
        is_done = bool(await self._snapshot.replace_suffix(start, copied(output)))
        if is_done:
            done()  # before a cancellation is heeded
        return is_done


class Rewriting(Target):
    """A session all of whose items are replaced.

    read: reads all of them, as stored.
    before: what `read` gave when `stored` was read, or earlier.
    """

    def __init__(
        self,
        session: Any,
        stored: Stored,
        prepare: Callable[[list[Item]], list[Item]],
        read: Read,
        before: list[Item],
    ) -> None:
        self.stored = stored
        self._session = session
        self._prepare = prepare
        self._read = read
        self._before = before

    async def replace(self, start: int, made: Made, done: Callable[[], None]) -> bool:  # noqa: ARG002 - it is 0
        previous = await self._read()
        if not _is_end_of(previous, self._before):
            return False
        await replaced(self._session, self._prepare(made.output), previous, self._read, done)
        return True


def _is_end_of(items: list[Item], before: list[Item]) -> bool:
    """Whether `items` are those of `before`, but for the oldest, which may have expired since."""
    if not items or len(items) > len(before):
        return not items and not before
    return items == before[-len(items) :]
