"""Opening the store of a command, and finding sessions in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from turnlog.cli.errors import NOT_FOUND, Problem
from turnlog.cli.secrets import shown, without_secrets
from turnlog.cli.text import one_line
from turnlog.store import Head, Store
from turnlog.stores.sqlite import SQLiteStore
from turnlog.urls import open_store

__all__ = ["StoreOption", "head_of", "heads_of", "open_existing", "open_named"]

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="TURNLOG_STORE",
        help="The store: a file, or a URL such as postgresql://… or redis://….",
        metavar="URL",
    ),
]

# Seconds to wait for a lock or a server; short, because a person waits.
_PATIENCE = "2"


def open_named(url: str) -> Store:
    """The store at `url`. A URL that is not one is an error in the command's arguments."""
    try:
        return open_store(url, timeout=_PATIENCE)
    except ValueError as error:
        message = without_secrets(str(error), url)
        raise typer.BadParameter(message, param_hint="--store") from None


@asynccontextmanager
async def open_existing(url: str) -> AsyncIterator[Store]:
    """The store at `url`. A file that doesn't exist is an error and isn't made."""
    store = open_named(url)
    if isinstance(store, SQLiteStore) and not store.path.exists():
        raise Problem(f"there is no store at {shown(url)}")
    async with store:
        yield store


async def heads_of(store: Store, session: str) -> list[Head]:
    """The heads of all logs of a conversation; an error if it doesn't exist."""
    heads = await store.logs(session)
    if not heads:
        raise Problem(f"there is no session '{one_line(session)}'", NOT_FOUND)
    return heads


async def head_of(store: Store, session: str, branch: str) -> Head:
    """The head of a branch; an error if it doesn't exist."""
    for head in await heads_of(store, session):
        if head.log.name == branch:
            return head
    raise Problem(
        f"there is no branch '{one_line(branch)}' of session '{one_line(session)}'", NOT_FOUND
    )
