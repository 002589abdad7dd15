"""`turnlog destroy-keys`: erasure of conversations by destroying their keys."""

import asyncio
import sys
from typing import Annotated

import typer

from turnlog.cli.errors import NOT_FOUND, Problem, errors_reported
from turnlog.cli.stores import (
    DEFAULT_STORE,
    Access,
    KeyFileOption,
    StoreOption,
    heads_of,
    open_encrypted,
)
from turnlog.cli.text import one_line

__all__ = ["destroy_keys"]


def destroy_keys(
    sessions: Annotated[
        list[str] | None, typer.Argument(help="Ids of the sessions.", metavar="SESSION...")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="All sessions of this owner, as `about` tells it.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    key_file: KeyFileOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Destroy without asking.")] = False,
) -> None:
    """Destroy the keys of conversations, so that nobody can read them. This can't be undone."""
    if bool(sessions) == (owner is not None):
        raise typer.BadParameter("say either SESSION... or --owner NAME")
    access = Access(store, key_file)
    with errors_reported(store):
        unknown: dict[str, str] = {}
        found = asyncio.run(_found(access, sessions or [], owner, unknown))
        # Asked while no event loop runs: inside one, Ctrl-C would not stop the question.
        if found and (yes or _agreed(found)):
            asyncio.run(_destroy(access, found))
        if not found:
            typer.echo("no conversation was found")
        _check(unknown)


async def _found(
    access: Access, sessions: list[str], owner: str | None, unknown: dict[str, str]
) -> list[str]:
    async with open_encrypted(access) as store:
        if owner is None:
            for session in sessions:
                await heads_of(store, session)
            return sessions
        from turnlog.maintenance.owners import owned_by  # noqa: PLC0415 - needs an extra

        return [each async for each in owned_by(store, owner, unknown)]


def _agreed(sessions: list[str]) -> bool:
    if not sys.stdin.isatty():
        raise Problem("stdin is not a terminal; pass --yes")
    for session in sessions:
        typer.echo(one_line(session))
    return typer.confirm(f"Destroy the keys of {len(sessions)} conversations?")


async def _destroy(access: Access, sessions: list[str]) -> None:
    without = []
    async with open_encrypted(access) as store:
        for session in sessions:
            if await store.destroy_keys(session):
                typer.echo(f"destroyed the keys of {one_line(session)}")
            else:
                without.append(session)
    if without:
        names = ", ".join(map(one_line, without))
        raise Problem(f"no keys, so nothing was destroyed: {names}", NOT_FOUND)


def _check(unknown: dict[str, str]) -> None:
    for session, problem in unknown.items():
        typer.echo(f"turnlog: {one_line(session)}: {one_line(problem)}", err=True)
    if unknown:
        raise Problem(f"the owner of {len(unknown)} conversations can't be read; see above")
