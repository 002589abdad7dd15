"""`turnlog rm`: deletion of conversations."""

import asyncio
import sys
from typing import Annotated

import typer

from turnlog.cli.errors import Problem, errors_reported
from turnlog.cli.stores import (
    DEFAULT_STORE,
    Access,
    KeyFileOption,
    StoreOption,
    heads_of,
    open_existing,
)
from turnlog.cli.text import one_line
from turnlog.store import Head

__all__ = ["rm"]


def rm(
    sessions: Annotated[
        list[str], typer.Argument(help="Ids of the sessions.", metavar="SESSION...")
    ],
    store: StoreOption = DEFAULT_STORE,
    key_file: KeyFileOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
) -> None:
    """Delete conversations with all their branches. This can't be undone."""
    access = Access(store, key_file)
    with errors_reported(store):
        found = asyncio.run(_found(access, sessions))
        # Asked while no event loop runs: inside one, Ctrl-C would not stop the question.
        chosen = [session for session, heads in found.items() if yes or _agreed(session, heads)]
        asyncio.run(_delete(access, chosen))


async def _found(access: Access, sessions: list[str]) -> dict[str, list[Head]]:
    async with open_existing(access) as store:
        return {session: await heads_of(store, session) for session in sessions}


def _agreed(session: str, heads: list[Head]) -> bool:
    if not sys.stdin.isatty():
        raise Problem("stdin is not a terminal; pass --yes")
    items = sum(head.length for head in heads if not head.log.name.startswith(":"))
    return typer.confirm(f"Delete session {one_line(session)} with {items} items?")


async def _delete(access: Access, sessions: list[str]) -> None:
    async with open_existing(access) as store:
        for session in sessions:
            await store.delete(session)
            typer.echo(f"deleted {one_line(session)}")
