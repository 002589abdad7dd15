"""Clearing: emptying a branch, or the whole conversation from its main branch.

What is about the conversation stays: its owner, tags and hold, and the names that its branches
have had, so that no later branch is taken for one of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.changes import Annotate, Change, Check, Forget, Remove
from turnlog.conversation.about import kept_note
from turnlog.conversation.branches.registry import registry_of
from turnlog.conversation.deletion import (
    branch_of,
    commit_unless_deleted,
    deletion,
    is_mark,
    mark_of,
)
from turnlog.conversation.turns.current import open_turn_on
from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.errors import BranchDeleted, Conflict
from turnlog.records import Log
from turnlog.store import Head, Store

__all__ = ["cleared"]

# What lies beside a branch and stays when the running task's own turn clears it.
_OWN = ("lease", "queue")


async def cleared(store: Store, log: Log) -> None:
    """Empty the branch `log`; if it is "main", the whole conversation, and delete its branches.

    The turn that the running task belongs to goes on, and its lease is kept; the turns of others
    are over.
    """
    turn = open_turn_on(store, log)
    if log.name == "main":
        while not await _conversation_cleared(store, log, turn):
            pass  # it was changed meanwhile: look again
    else:
        await _branch_cleared(store, log, turn)


async def _conversation_cleared(store: Store, main: Log, turn: OpenTurn | None) -> bool:
    """Clear the conversation; False if what was to be kept has changed meanwhile."""
    heads = {head.log: head for head in await store.logs(main.session)}
    try:
        if turn is not None:
            await turn.clear(_emptied(main, heads, _own(main)))
        elif not heads:
            await store.delete(main.session)  # others may keep more than what we read
        elif _keeps_nothing(main, heads):
            await store.delete(main.session, expect=heads[main].last)
        else:
            await store.commit(main.session, _emptied(main, heads, set()))
    except Conflict as conflict:
        # Within a turn, the end of "main" is expected by the turn, which has to know.
        if turn is not None and conflict.log == main and not isinstance(conflict.actual, bytes):
            raise
        return False
    return True


async def _branch_cleared(store: Store, log: Log, turn: OpenTurn | None) -> None:
    heads = {head.log: head for head in await store.logs(log.session)}
    if mark_of(log) in heads:
        raise BranchDeleted(log)
    kept = set() if turn is None else _own(log)
    changes = [_removed(each) for each in heads if branch_of(each) == log.name and each not in kept]
    if turn is not None:
        await turn.clear(changes)
    elif changes:
        await commit_unless_deleted(store, log, changes)


def _own(log: Log) -> set[Log]:
    """The logs of the running task's own turn."""
    return {log.beside(purpose) for purpose in _OWN}


def _removed(log: Log) -> Change:
    """Empties a branch, which stays, or forgets what lies beside one."""
    return Forget(log.name) if log.name.startswith(":") else Remove(log.name)


def _keeps_nothing(main: Log, heads: dict[Log, Head]) -> bool:
    """Whether nothing stays of the conversation, so that it can be deleted."""
    has_branches = registry_of(main.session) in heads or any(map(is_mark, heads))
    return not has_branches and not _branches(heads) and not kept_note(heads[main].note)


def _emptied(main: Log, heads: dict[Log, Head], kept: set[Log]) -> list[Change]:
    """What empties the conversation and deletes its branches, if none was forked meanwhile.

    kept: further logs that stay.
    """
    registry = registry_of(main.session)
    forks = Check(registry.name, heads[registry].last if registry in heads else 0)
    kept = {*kept, registry}
    by_branch: dict[str, list[Log]] = {}
    for each in heads:
        by_branch.setdefault(branch_of(each), []).append(each)
    own = [each for each in by_branch.pop("main", []) if each not in kept]
    changes: list[Change] = [forks, *map(_removed, own), *_note_emptied(main, heads)]
    for branch in _branches(heads):
        changes += deletion(branch, by_branch[branch.name])
    return changes


def _note_emptied(main: Log, heads: dict[Log, Head]) -> Iterable[Change]:
    note = heads[main].note if main in heads else b""
    if (kept := kept_note(note)) != note:
        yield Annotate(main.name, kept, expect=note)


def _branches(heads: Iterable[Log]) -> list[Log]:
    """The branches that exist, other than "main"."""
    return [log for log in heads if log.name != "main" and not log.name.startswith(":")]
