"""Opening the store of a command, and finding sessions in it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

import typer

from turnlog.cli.errors import NOT_FOUND, Problem
from turnlog.cli.secrets import shown, without_secrets
from turnlog.cli.text import one_line
from turnlog.store import Head, Store
from turnlog.urls import open_store

if TYPE_CHECKING:
    from turnlog.layers.encrypted import Encrypted
    from turnlog.layers.encryption.unsealed import Reading

__all__ = [
    "DEFAULT_STORE",
    "Access",
    "KeyFileOption",
    "StoreOption",
    "check_exists",
    "head_of",
    "heads_of",
    "open_encrypted",
    "open_existing",
    "open_named",
    "opened",
]

#: The file in the current folder that the README's example makes.
DEFAULT_STORE = "conversations.db"

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="TURNLOG_STORE",
        help="The store: a file, or a URL such as postgresql://… or redis://….",
        metavar="URL",
    ),
]

KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        envvar="TURNLOG_KEY_FILE",
        help="The key file of an encrypted store; see `turnlog keygen`.",
        metavar="FILE",
    ),
]


class Access(NamedTuple):
    """Access of a command to a store: the URL, and the key file if it is encrypted."""

    url: str
    key_file: Path | None = None


# Seconds to wait for a lock or a server; short, because a person waits.
_PATIENCE = "2"


def open_named(url: str) -> Store:
    """The store at `url`. A URL that is not one is an error in the command's arguments."""
    # Dapr's client reads it when it is imported, and would wait for a sidecar for a minute.
    os.environ.setdefault("DAPR_HEALTH_TIMEOUT", _PATIENCE)
    try:
        return open_store(url, patience=_PATIENCE)
    except ValueError as error:
        message = without_secrets(str(error), url)
        raise typer.BadParameter(message, param_hint="--store") from None


def opened(access: Access) -> Store:
    """The store of a command, behind the encryption if there is a key file."""
    return _encrypted(open_named(access.url), access.key_file)


@asynccontextmanager
async def open_existing(access: Access, reads: "Reading" = "ours") -> AsyncIterator[Store]:
    """The same. A database file that doesn't exist is an error and isn't made."""
    store = open_named(access.url)
    check_exists(store, access.url)
    async with _encrypted(store, access.key_file, reads) as store:
        yield store


def check_exists(store: Store, url: str) -> None:
    """Raise `Problem` if `store` is in a file that doesn't exist: reading would make it."""
    # The path is the part of the identity that two stores on one file share, whatever opens it.
    places = store.identity if isinstance(store.identity, tuple) else ()
    if any(isinstance(place, Path) and not place.exists() for place in places):
        raise Problem(f"there is no store at {shown(url)}")


@asynccontextmanager
async def open_encrypted(access: Access, reads: "Reading" = "ours") -> AsyncIterator["Encrypted"]:
    """The encrypted store of a command, which needs the key file.

    reads: as for `Encrypted`.
    """
    if access.key_file is None:
        raise typer.BadParameter(
            "say which key file the store is encrypted with", param_hint="--key-file"
        )
    async with open_existing(access, reads) as store:
        yield cast("Encrypted", store)  # as there is a key file


def _encrypted(store: Store, key_file: Path | None, reads: "Reading" = "ours") -> Store:
    if key_file is None:
        return store
    from turnlog.layers.encrypted import Encrypted  # noqa: PLC0415 - an extra
    from turnlog.layers.encryption.keyring import Keyring  # noqa: PLC0415 - see above

    return Encrypted(store, Keyring.from_file(key_file), reads=reads)


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
