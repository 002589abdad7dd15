"""Targets: the conversation and the branch that an argument `ID` or `ID@BRANCH` names."""

from typing import Annotated

import typer

from turnlog.cli.errors import NOT_FOUND, Problem
from turnlog.cli.stores import head_of
from turnlog.cli.text import one_line
from turnlog.conversation.session import StoredSession
from turnlog.store import Store

__all__ = ["BranchOption", "Named", "session_named"]

Named = Annotated[
    str, typer.Argument(help="Id of the session, or ID@BRANCH.", metavar="ID[@BRANCH]")
]

BranchOption = Annotated[
    str | None,
    typer.Option(help="Name of the branch. With it, all of the argument is the id."),
]


async def session_named(store: Store, text: str, branch: str | None = None) -> StoredSession:
    """The session on the branch that `text` names; without one, on "main".

    `text` is split at its last "@" only if that gives a branch which exists. With `branch`, it
    is never split. An error if there is no such session or branch, or if both readings name one.
    """
    if branch is not None:
        await head_of(store, text, branch)
        return StoredSession(text, store, branch=branch)
    whole = bool(await store.logs(text))
    session, at, name = text.rpartition("@")
    if not at or not await _is_branch(store, session, name):
        if not whole:
            raise Problem(f"there is no session '{one_line(text)}'", NOT_FOUND)
        return StoredSession(text, store)
    if whole:
        raise Problem(
            f"'{one_line(text)}' is a session, and '{one_line(name)}' is a branch of session "
            f"'{one_line(session)}': say which with --branch"
        )
    return StoredSession(session, store, branch=name)


async def _is_branch(store: Store, session: str, name: str) -> bool:
    return any(head.log.name == name for head in await store.logs(session))
