"""Clearing: emptying a branch, or the whole conversation from its main branch."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.changes import Change, Forget, Remove
from turnlog.conversation.turns.holding import OpenTurn, open_turn_on
from turnlog.records import Log
from turnlog.store import Head, Store

__all__ = ["cleared"]

# What lies beside a branch and stays when the branch is cleared: runs hold it or wait for it.
_KEPT = ("lease", "queue")


async def cleared(store: Store, log: Log) -> None:
    """Delete the branch `log`; if it is "main", the whole conversation.

    The turn that the running task belongs to goes on, and its lease is kept; the turns of others
    are over.
    """
    turn = open_turn_on(store, log)
    if log.name == "main" and turn is None:
        await store.delete(log.session)
        return
    changes = _changes(log, await store.logs(log.session))
    await _made(store, log, turn, changes)


async def _made(store: Store, log: Log, turn: OpenTurn | None, changes: list[Change]) -> None:
    if turn is not None:
        await turn.clear(changes)
    elif changes:
        await store.commit(log.session, changes)


def _changes(log: Log, heads: Iterable[Head]) -> list[Change]:
    """Forgets all that belongs to `log`; the log "main" itself is emptied."""
    kept = {log.beside(purpose) for purpose in _KEPT}
    doomed = (head.log for head in heads if head.log not in kept and _belongs(head.log, log))
    return [Remove("main") if each.name == "main" else Forget(each.name) for each in doomed]


def _belongs(each: Log, log: Log) -> bool:
    """Whether `each` goes when the branch `log` is cleared."""
    _, _, branch = each.name.partition("@")
    return log.name == "main" or each == log or (each.name[:1] == ":" and branch == log.name)
