"""`turnlog rm`."""

import asyncio
import sys
from typing import Annotated

import typer

from turnlog.cli.errors import Problem, told
from turnlog.cli.stores import StoreOption, existing, head_of
from turnlog.cli.text import plain

__all__ = ["rm"]


def rm(
    sessions: Annotated[list[str], typer.Argument(help="The sessions' ids.", metavar="SESSION...")],
    store: StoreOption = "turnlog.db",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Delete conversations for good, with all their branches."""
    with told(store):
        asyncio.run(_remove(store, sessions, yes=yes))


async def _remove(url: str, sessions: list[str], *, yes: bool) -> None:
    async with existing(url) as store:
        heads = [await head_of(store, session) for session in sessions]
        for head in heads:
            if yes or _agreed(head.log.session, head.length):
                await store.delete(head.log.session)
                typer.echo(f"deleted {plain(head.log.session)}")


def _agreed(session: str, items: int) -> bool:
    if not sys.stdin.isatty():
        raise Problem("nobody is there to ask: say --yes")
    return typer.confirm(f"Delete session {plain(session)} with {items} items?")
