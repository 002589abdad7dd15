"""`turnlog diff`: where two branches part, and how they go on."""

import asyncio
from collections.abc import Iterator
from difflib import unified_diff
from typing import Annotated

import typer
from rich.text import Text

from turnlog.cli.errors import DIFFERENT, errors_reported
from turnlog.cli.lines import print_lines
from turnlog.cli.paging import Output
from turnlog.cli.rendering import described
from turnlog.cli.stores import DEFAULT_STORE, Access, KeyFileOption, StoreOption, open_existing
from turnlog.cli.targets import session_named
from turnlog.cli.text import counted, one_line, plain
from turnlog.conversation.branches.diff import Difference, DiffRow, PlacedItem, difference
from turnlog.records import Log

__all__ = ["diff"]

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def diff(
    one: Annotated[str, typer.Argument(help="Id of a session, or ID@BRANCH.", metavar="A")],
    other: Annotated[
        str, typer.Argument(help="Another one; @BRANCH is a branch of A's session.", metavar="B")
    ],
    store: StoreOption = DEFAULT_STORE,
    key_file: KeyFileOption = None,
    stat: Annotated[bool, typer.Option("--stat", help="Only how many items differ.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the exit status.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one pair per line.")] = False,
) -> None:
    """Compare two branches, or two sessions. Exits with 0 if they are alike, with 4 if not."""
    access = Access(store, key_file)
    with errors_reported(store):
        found = asyncio.run(_difference(access, one, other))
        if as_json:
            print_lines(map(_as_dict, found.rows))
        elif not quiet:
            _print(found, stat=stat)
    if not all(row.same for row in found.rows):
        raise typer.Exit(DIFFERENT)


async def _difference(access: Access, one: str, other: str) -> Difference:
    async with open_existing(access) as store:
        ours = await session_named(store, one)
        if other.startswith("@"):
            theirs = await session_named(store, ours.session_id, other[1:])
        else:
            theirs = await session_named(store, other)
        logs = (Log(each.session_id, each.branch) for each in (ours, theirs))
        return await difference(store, *logs)


def _as_dict(row: DiffRow) -> dict[str, object]:
    return {"same": row.same, "ours": _placed(row.ours), "theirs": _placed(row.theirs)}


def _placed(each: PlacedItem | None) -> dict[str, object] | None:
    return None if each is None else each._asdict()


def _print(found: Difference, *, stat: bool) -> None:
    console = Output(soft_wrap=True)
    if stat:
        console.print(_counted(found))
        return
    if found.rows:
        console.print(
            f"alike up to #{found.parted_at}, {counted(found.common_turns, 'whole turn')}"
        )
    for row in found.rows:
        for line in _lines(row):
            console.print(Text(line, style=_STYLES.get(line[0], "")))


def _counted(found: Difference) -> str:
    gone = sum(row.theirs is None for row in found.rows)
    new = sum(row.ours is None for row in found.rows)
    changed = sum(not row.same for row in found.rows) - gone - new
    return f"{changed} changed, {gone} only in A, {new} only in B"


def _lines(row: DiffRow) -> Iterator[str]:
    """One pair: its heading, and its text as a unified diff."""
    yield f"@@ {_place(row.ours)} {_place(row.theirs)} @@"
    lines = unified_diff(_text(row.ours), _text(row.theirs), lineterm="", n=10_000)
    changed = list(lines)[3:]  # without the headers
    yield from changed or (f" {line}" for line in _text(row.ours))


def _place(each: PlacedItem | None) -> str:
    return "-" if each is None else f"#{each.position}"


def _text(each: PlacedItem | None) -> list[str]:
    if each is None:
        return []
    heading, body = described(each.item)
    return [one_line(heading), *plain(body).splitlines()]
