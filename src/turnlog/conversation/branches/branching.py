"""Branching: the methods of a session that make, list, switch, compare and delete branches."""

from __future__ import annotations

from typing import Self

from turnlog.changes import Change
from turnlog.conversation.branches.diff import Difference, difference
from turnlog.conversation.branches.forks import Branch, forked, planned_fork
from turnlog.conversation.branches.positions import (
    Position,
    checked_position,
    end_before_turn,
)
from turnlog.conversation.branches.registry import Registry
from turnlog.conversation.branches.rewind import Target, rewound
from turnlog.conversation.deletion import deletion, mark_of
from turnlog.conversation.handle import Handle
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import TurnIndex
from turnlog.conversation.retrying import commit_retried
from turnlog.errors import Conflict, NoSuchBranch, NoSuchRecord
from turnlog.items.json import encode
from turnlog.records import Log

__all__ = ["Branching"]


class Branching(Handle):
    """The methods of a session that concern branches."""

    async def fork(self, name: str | None = None, *, at: int | Position | None = None) -> Self:
        """A session on a new branch that begins as a copy of this one. This session stays here.

        name: of the new branch. A name is used once in a conversation, by all processes, also
            after its branch was deleted; a new one is made up for None.
        at: a turn number copies what lies before that turn, so that it can be asked anew;
            ``Position(p)`` copies up to the record at position p, and with it; None copies all.

        The branch is there whole or not at all, and its records keep their times. Raises
        `BranchNameUsed`, `NoSuchTurn`, `NoSuchRecord`, `BranchDeleted` if this session stands on a
        branch that was deleted, and `Unreadable` if a record to be copied was damaged or moved in
        an encrypted store, or has no key; all are `ValueError`s.
        """
        end = await self._end_of_copy(self._log(), at)
        return await forked(self, name, end)

    async def _plan_fork(self, name: str, at: int) -> tuple[Self, list[Change]]:
        """A session on a branch that is not made yet, and the changes that make it.

        A run makes them in the commit with which it takes the lease of the new branch.

        name: one that nobody else can choose.
        at: the position of the last record that is copied; 0 copies none.
        """
        planned = await planned_fork(self, name, at)
        return planned.session, planned.changes

    async def branches(self) -> list[Branch]:
        """The branches of the conversation: "main", then the others in the order of their forks.

        A branch that nobody forked, but a session has just written to, comes after these.
        """
        self._log()
        registry = await Registry.read(self.store, self.session_id)
        return [await self._described(name, registry) for name in registry.names()]

    async def switch_to(self, name: str) -> None:
        """Move this session to the branch `name`. Raises `NoSuchBranch` if there is none."""
        self._log()
        await self._check_branch(name)
        self.branch = name

    async def delete_branch(self, name: str, force: bool = False) -> None:
        """Delete the branch `name` with all that belongs to it; its name is never free again.

        force: allows to delete the branch that this session stands on. It moves to "main".

        A run in progress on the branch loses its lease. Other sessions that stand on the branch
        find it empty, and their writes raise `BranchDeleted`. Raises `NoSuchBranch`, and
        `ValueError` for "main" and for the current branch without `force`.
        """
        self._log()
        self._check_deletable(name, force)
        await self._delete(Log(self.session_id, name))
        if name == self.branch:
            self.branch = "main"

    async def rewind(
        self,
        *,
        turn: int | None = None,
        turns: int | None = None,
        position: int | Position | None = None,
        keep_as: str | None = None,
    ) -> int:
        """Drop the newest part of the branch, in one step; returns how many items went.

        turn: this turn goes, and all behind it.
        turns: so many of the newest turns go, or all that there are.
        position: all behind the record at this position goes; 0 means everything.
        keep_as: the name of a new branch that keeps the branch as it was.

        Exactly one of the first three is given. Raises `Conflict` if somebody wrote to the branch
        meanwhile, `NoSuchTurn`, `NoSuchRecord`, `BranchNameUsed` and `BranchDeleted`; nothing has
        changed then. Raises `Unreadable` if a record that goes was damaged or moved in an encrypted
        store, unless its place was named by `position`.
        """
        reader = self._reader_of(self._log())
        return await rewound(self, reader, Target(turn, turns, position), keep_as)

    async def edit(self, position: int, item: object, name: str | None = None) -> Self:
        """A session on a new branch: a copy of what lies before `position`, with `item` behind it.

        So a question can be asked in other words; this branch stays as it is. A run on the new
        branch with the same words answers it, and does not store it again.

        name: of the new branch; see `fork`.

        Raises `NoSuchRecord` if no record stands at `position`, and what `fork` raises.
        """
        log = self._log()
        added = [encode(item)]
        if await checked_position(self._reader_of(log), position) == 0:
            raise NoSuchRecord(log, position)
        return await forked(self, name, position - 1, added=added)

    async def diff(self, other: str | Handle) -> Difference:
        """The difference to another branch: where they part, and what comes behind that.

        other: the name of a branch, or a session of the same conversation. Both branches are
            read as a whole.

        Raises `NoSuchBranch` for a name that no branch has, `ValueError` for a session of another
        conversation.
        """
        ours = self._log()
        if isinstance(other, Handle):
            theirs = self._same_conversation(other)
        else:
            await self._check_branch(other)
            theirs = Log(self.session_id, other)
        return await difference(self.store, ours, theirs)

    async def _end_of_copy(self, log: Log, at: int | Position | None) -> int | None:
        """The position up to which a fork copies; None: to the end."""
        if at is None:
            return None
        reader = self._reader_of(log)
        if isinstance(at, Position):
            return await checked_position(reader, at.position)
        return await end_before_turn(reader, at)

    async def _described(self, name: str, registry: Registry) -> Branch:
        log = Log(self.session_id, name)
        head, origin = registry.heads.get(name), registry.origins.get(name)
        items, created_at = (head.length, head.created_at) if head else (0, 0.0)
        return Branch(
            name,
            origin.parent if origin else None,
            origin.position if origin else 0,
            await TurnIndex(LogReader(self.store, log)).count() if items else 0,
            items,
            origin.at if origin else created_at,
            name == self.branch,
        )

    async def _check_branch(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a branch is named by a str, not {type(name).__name__}")
        log = Log(self.session_id, name)
        if name != "main" and (name.startswith(":") or not await self._exists(log)):
            raise NoSuchBranch(log)

    async def _exists(self, log: Log) -> bool:
        return any(head.log == log for head in await self.store.logs(log.session))

    def _check_deletable(self, name: str, force: bool) -> None:
        """Raise `ValueError` for a branch that can't be deleted from here, if it exists or not."""
        if not name or not name.strip():
            raise ValueError("Branch ID cannot be empty: branches() lists the branches")
        if name == "main":
            raise ValueError("Cannot delete the 'main' branch: clear_session() on it empties it")
        if name == self.branch and not force:
            raise ValueError(
                f"Cannot delete current branch '{name}'. Use force=True, which moves this session "
                f"to 'main', or switch_to another branch first"
            )

    async def _delete(self, log: Log) -> None:
        heads = await self.store.logs(log.session)
        if log.name.startswith(":") or all(head.log != log for head in heads):
            raise NoSuchBranch(log)
        try:
            await commit_retried(
                self.store, log.session, deletion(log, (head.log for head in heads))
            )
        except Conflict as conflict:
            if conflict.log == mark_of(log):
                raise NoSuchBranch(log) from None  # somebody else has just deleted it
            raise

    def _same_conversation(self, other: Handle) -> Log:
        theirs = other._log()  # noqa: SLF001 - it refuses a closed session
        same = other.store.identity == self.store.identity and other.session_id == self.session_id
        if not same:
            raise ValueError(
                "diff compares branches of one conversation, and the other session is on another "
                "conversation or another store: give a session of this one, or a branch's name"
            )
        return theirs
