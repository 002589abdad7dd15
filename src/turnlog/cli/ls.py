"""`turnlog ls`: the list of sessions."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from turnlog.cli.errors import errors_reported
from turnlog.cli.lines import short_time
from turnlog.cli.paging import Output
from turnlog.cli.stores import DEFAULT_STORE, Access, KeyFileOption, StoreOption, open_existing
from turnlog.cli.text import one_line
from turnlog.store import Head, Store

__all__ = ["ls"]

_PAGE = 200


def ls(
    store: StoreOption = DEFAULT_STORE,
    key_file: KeyFileOption = None,
    prefix: Annotated[str, typer.Option(help="List only ids that begin with this.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="The most sessions to list; 0 lists all.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the sessions, most recently changed first."""
    access = Access(store, key_file)
    with errors_reported(store):
        heads = asyncio.run(_heads(access, prefix, limit))
        if as_json:
            typer.echo(json.dumps([_as_dict(head) for head in heads], indent=2))
        else:
            _print(heads)


async def _heads(access: Access, prefix: str, limit: int) -> list[Head]:
    found: list[Head] = []
    async with open_existing(access) as store:
        async for head in _all(store, prefix):
            if limit and len(found) == limit:
                break
            found.append(head)
    return found


async def _all(store: Store, prefix: str) -> AsyncIterator[Head]:
    """The heads of all sessions, read page by page."""
    after = None
    while page := await store.sessions(prefix=prefix, after=after, limit=_PAGE):
        for head in page:
            yield head
        after = page[-1].cursor


def _as_dict(head: Head) -> dict[str, str | int]:
    changed = datetime.fromtimestamp(head.updated_at, UTC)
    return {
        "session": head.log.session,
        "items": head.length,
        "updated_at": changed.isoformat(timespec="seconds"),
    }


def _print(heads: list[Head]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("session", overflow="fold")
    table.add_column("items", justify="right")
    table.add_column("last change")
    for head in heads:
        changed = short_time(head.updated_at)
        table.add_row(Text(one_line(head.log.session)), str(head.length), changed)
    Output().print(table if heads else "no sessions")
