"""`turnlog show`: the items of one conversation."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console, Group

from turnlog.cli.errors import errors_reported
from turnlog.cli.rendering import rendered
from turnlog.cli.stores import Access, KeyFileOption, StoreOption, open_existing
from turnlog.cli.targets import BranchOption, Named, session_named
from turnlog.cli.text import safe_json
from turnlog.items.json import Item, encode, finite

__all__ = ["show"]


def show(
    target: Named,
    store: StoreOption = "turnlog.db",
    key_file: KeyFileOption = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="Only this many of the newest items.")
    ] = None,
    branch: BranchOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All items, also those that a summary stands for.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one item per line.")] = False,
) -> None:
    """Show a conversation; of its older turns the summary, if there is one."""
    if everything and limit is not None:
        raise typer.BadParameter("--all and --limit do not go together")
    access = Access(store, key_file)
    with errors_reported(store):
        items = asyncio.run(_items(access, target, branch, limit, everything=everything))
        if as_json:
            typer.echo(_as_json(items))
        else:
            _print(items)


async def _items(
    access: Access, target: str, branch: str | None, limit: int | None, *, everything: bool
) -> list[Item]:
    async with open_existing(access) as store:
        session = await session_named(store, target, branch)
        return await (session.history() if everything else session.get_items(limit))


def _as_json(items: list[Item]) -> bytes:
    # Bytes, so that it is UTF-8 whatever the terminal's encoding.
    lines = b",\n".join(map(_line, items))
    return b"[\n" + safe_json(lines) + b"\n]" if items else b"[]"


def _line(item: Item) -> bytes:
    """The JSON of one item. NaN and infinities, which the SDK stores, become null."""
    return encode(finite(item))


def _print(items: list[Item]) -> None:
    console = Console()
    conversation = Group(*(part for item in items for part in rendered(item)))
    if console.is_terminal and len(console.render_lines(conversation)) > console.height:
        with console.pager():
            console.print(conversation)
    else:
        console.print(conversation if items else "no items")
