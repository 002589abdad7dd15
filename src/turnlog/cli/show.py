"""`turnlog show`: the items of one conversation, printed as they are read."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import closing
from typing import Annotated

import typer

from turnlog.cli.errors import errors_reported
from turnlog.cli.paging import Screen
from turnlog.cli.rendering import rendered
from turnlog.cli.stores import DEFAULT_STORE, Access, KeyFileOption, StoreOption, open_existing
from turnlog.cli.targets import BranchOption, Named, session_named
from turnlog.cli.text import safe_json
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.pages import pages_of
from turnlog.items.json import Item, encode, finite
from turnlog.records import Log

__all__ = ["show"]


def show(
    target: Named,
    store: StoreOption = DEFAULT_STORE,
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
    pages = _pages(access, target, branch, limit, everything=everything)
    with errors_reported(store), asyncio.Runner() as loop, closing(_awaited(loop, pages)) as items:
        if as_json:
            _print_json(items)
        else:
            _print(items)


async def _pages(
    access: Access, target: str, branch: str | None, limit: int | None, *, everything: bool
) -> AsyncGenerator[list[Item], None]:
    async with open_existing(access) as store:
        session = await session_named(store, target, branch)
        if limit is not None:
            yield await session.get_items(limit)
        else:
            log = Log(session.session_id, session.branch)
            async for page in pages_of(LogReader(store, log), covered=everything):
                yield page


def _awaited(
    loop: asyncio.Runner, pages: AsyncGenerator[list[Item], None]
) -> Generator[Item, None, None]:
    """The items of `pages`, each page read when it is needed."""
    try:
        while page := loop.run(anext(pages, None)):
            yield from page
    finally:
        loop.run(pages.aclose())


def _print_json(items: Iterator[Item]) -> None:
    before = b"[\n"
    for item in items:
        # Bytes, so that it is UTF-8 whatever the terminal's encoding.
        typer.echo(before + safe_json(_line(item)), nl=False)
        before = b",\n"
    typer.echo(b"\n]" if before == b",\n" else b"[]")


def _line(item: Item) -> bytes:
    """The JSON of one item. NaN and infinities, which the SDK stores, become null."""
    return encode(finite(item))


def _print(items: Iterator[Item]) -> None:
    with Screen() as screen:
        for item in items:
            for part in rendered(item):
                screen.print(part)
        if screen.is_empty:
            screen.print("no items")
