"""`turnlog rm`."""

import asyncio
import sys
from typing import Annotated

import typer

from turnlog.cli.errors import Problem, told
from turnlog.cli.stores import StoreOption, existing, heads_of
from turnlog.cli.text import one_line
from turnlog.store import Head

__all__ = ["rm"]


def rm(
    sessions: Annotated[list[str], typer.Argument(help="The sessions' ids.", metavar="SESSION...")],
    store: StoreOption = "turnlog.db",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Delete conversations for good, with all their branches."""
    with told(store):
        found = asyncio.run(_found(store, sessions))
        # Asked between two runs of the loop: inside one, Ctrl-C would not end the question.
        doomed = [session for session, heads in found.items() if yes or _agreed(session, heads)]
        asyncio.run(_delete(store, doomed))


async def _found(url: str, sessions: list[str]) -> dict[str, list[Head]]:
    async with existing(url) as store:
        return {session: await heads_of(store, session) for session in sessions}


def _agreed(session: str, heads: list[Head]) -> bool:
    if not sys.stdin.isatty():
        raise Problem("nobody is there to ask: say --yes")
    items = sum(head.length for head in heads if not head.log.name.startswith(":"))
    return typer.confirm(f"Delete session {one_line(session)} with {items} items?")


async def _delete(url: str, sessions: list[str]) -> None:
    async with existing(url) as store:
        for session in sessions:
            await store.delete(session)
            typer.echo(f"deleted {one_line(session)}")
