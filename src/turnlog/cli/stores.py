"""The store that a command works on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from turnlog.cli.errors import Problem
from turnlog.cli.secrets import shown, without_secrets
from turnlog.cli.text import one_line
from turnlog.store import Head, Store
from turnlog.stores.sqlite import SQLiteStore
from turnlog.urls import open_store

__all__ = ["StoreOption", "existing", "head_of", "heads_of", "named"]

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="TURNLOG_STORE",
        help="A file, or a URL such as postgresql://… or redis://….",
        metavar="URL",
    ),
]

# A person waits; a program would be more patient.
_PATIENCE = "2"


def named(url: str) -> Store:
    """The store that `url` names. A URL that names none is a mistake in the command."""
    try:
        return open_store(url, timeout=_PATIENCE)
    except ValueError as error:
        told = without_secrets(str(error), url)
        raise typer.BadParameter(told, param_hint="--store") from None


@asynccontextmanager
async def existing(url: str) -> AsyncIterator[Store]:
    """The store that `url` names, which has to be there: to look must not make one."""
    store = named(url)
    if isinstance(store, SQLiteStore) and not store.path.exists():
        raise Problem(f"there is no store at {shown(url)}")
    async with store:
        yield store


async def heads_of(store: Store, session: str) -> list[Head]:
    """The heads of all logs of a conversation that has to be there."""
    heads = await store.logs(session)
    if not heads:
        raise Problem(f"there is no session '{one_line(session)}'")
    return heads


async def head_of(store: Store, session: str, branch: str) -> Head:
    """The head of a branch that has to be there."""
    for head in await heads_of(store, session):
        if head.log.name == branch:
            return head
    raise Problem(f"there is no branch '{one_line(branch)}' of session '{one_line(session)}'")
