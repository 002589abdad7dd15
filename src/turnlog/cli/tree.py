"""`turnlog tree`: the branches of one conversation."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from turnlog.cli.errors import errors_reported
from turnlog.cli.lines import print_lines, rfc3339, short_time
from turnlog.cli.paging import Output
from turnlog.cli.stores import (
    DEFAULT_STORE,
    Access,
    KeyFileOption,
    StoreOption,
    heads_of,
    open_existing,
)
from turnlog.cli.text import counted, one_line
from turnlog.conversation.branches.forks import Branch
from turnlog.conversation.session import StoredSession

__all__ = ["tree"]


def tree(
    session: Annotated[str, typer.Argument(help="Id of the session.")],
    store: StoreOption = DEFAULT_STORE,
    key_file: KeyFileOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one branch per line.")] = False,
) -> None:
    """Show the branches of a conversation, each below the one that it was forked from."""
    access = Access(store, key_file)
    with errors_reported(store):
        branches = asyncio.run(_branches(access, session))
        if as_json:
            print_lines(_as_dict(session, branch) for branch in branches)
        else:
            _print(branches)


async def _branches(access: Access, session: str) -> list[Branch]:
    async with open_existing(access) as store:
        await heads_of(store, session)
        return await StoredSession(session, store).branches()


def _as_dict(session: str, branch: Branch) -> dict[str, object]:
    return {
        "session": session,
        "branch": branch.name,
        "parent": branch.parent,
        "position": branch.parted_at,
        "items": branch.items,
        "turns": branch.turns,
        "created_at": rfc3339(branch.created_at),
    }


def _print(branches: Sequence[Branch]) -> None:
    # Narrow terminals must not break names: each branch stays on one line.
    console = Output(soft_wrap=True)
    names = {branch.name for branch in branches}
    for branch in branches:
        if branch.parent not in names:  # the parent was deleted, or there is none
            console.print(_drawn(branch, branches))


def _drawn(branch: Branch, branches: Sequence[Branch]) -> Tree:
    """The branch and, below it, those that were forked from it.

    Parents are older than their children, so this ends.
    """
    drawn = Tree(_line(branch), guide_style="dim")
    for child in branches:
        if child.parent == branch.name:
            drawn.add(_drawn(child, branches))
    return drawn


def _line(branch: Branch) -> Text:
    line = Text(one_line(branch.name), style="bold")
    size = f"{counted(branch.turns, 'turn')}, {counted(branch.items, 'item')}"
    line.append(f"  {size}, {short_time(branch.created_at)}", style="not bold")
    if branch.parent is not None:
        origin = f", from {one_line(branch.parent)} at #{branch.parted_at}"
        line.append(origin, style="not bold dim")
    return line
