"""`turnlog fork`: a new branch that begins as a copy of another one."""

import asyncio
import json
from typing import Annotated

import typer

from turnlog.cli.editor import edited
from turnlog.cli.errors import NOT_FOUND, Problem, errors_reported
from turnlog.cli.lines import print_lines
from turnlog.cli.stores import DEFAULT_STORE, Access, KeyFileOption, StoreOption, open_existing
from turnlog.cli.targets import BranchOption, Named, session_named
from turnlog.cli.text import one_line
from turnlog.conversation.branches.positions import Position
from turnlog.conversation.opened import item_of
from turnlog.conversation.session import StoredSession
from turnlog.errors import NoSuchTurn
from turnlog.items.json import Item, decode, writable
from turnlog.records import Log

__all__ = ["fork"]


def fork(
    target: Named,
    name: Annotated[str, typer.Argument(help="Name of the new branch.", metavar="NEW")],
    store: StoreOption = DEFAULT_STORE,
    key_file: KeyFileOption = None,
    branch: BranchOption = None,
    at: Annotated[
        int | None, typer.Option(help="Position of the last item to copy; otherwise all.")
    ] = None,
    turn: Annotated[
        int | None, typer.Option(min=1, help="Copy what comes before this turn, counted from 1.")
    ] = None,
    edit: Annotated[
        bool,
        typer.Option(
            "--edit",
            help="Open $EDITOR on the item at --at, or the question of --turn, and store the "
            "result.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Make a new branch that begins as a copy of this one, which stays as it is."""
    if at is not None and turn is not None:
        raise typer.BadParameter("--at and --turn do not go together")
    if edit and at is None and turn is None:
        raise typer.BadParameter("say which item with --at or --turn", param_hint="--edit")
    access = Access(store, key_file)
    with errors_reported(store):
        item = None
        if edit and turn is not None:
            at = asyncio.run(_question(access, target, branch, turn))
        if edit and at is not None:
            # Edited while no event loop runs and no connection is held.
            item = _edited(asyncio.run(_item(access, target, branch, at)))
        made = asyncio.run(_forked(access, target, branch, name, _end(at, turn), item))
        if as_json:
            print_lines([{"session": made.session_id, "branch": made.branch}])
        else:
            typer.echo(one_line(made.branch))


def _end(at: int | None, turn: int | None) -> Position | int | None:
    """Where the copy ends; after an edit, the item that was edited."""
    return turn if at is None else Position(at)


async def _question(access: Access, target: str, branch: str | None, turn: int) -> int:
    """The position of the question that a turn begins with."""
    async with open_existing(access) as store:
        session = await session_named(store, target, branch)
        for each in await session.turns():
            if each.number == turn:
                return each.position
        raise NoSuchTurn(Log(session.session_id, session.branch), turn)


async def _item(access: Access, target: str, branch: str | None, position: int) -> Item:
    async with open_existing(access) as store:
        session = await session_named(store, target, branch)
        log = Log(session.session_id, session.branch)
        records = await store.read(log, after=position - 1, before=position + 1)
        if not records:
            raise Problem(f"no item stands at position {position}", NOT_FOUND)
        return item_of(log, records[0])


def _edited(item: Item) -> Item:
    """`item` as the editor of the user has left it."""
    text = json.dumps(writable(item), ensure_ascii=False, indent=2) + "\n"
    changed = edited(text, "item.json")
    if changed == text:
        raise Problem("nothing was changed, so no branch was made")
    try:
        return decode(changed.encode())
    except ValueError:
        raise Problem("the edited text is no JSON object, so no branch was made") from None


async def _forked(
    access: Access,
    target: str,
    branch: str | None,
    name: str,
    end: Position | int | None,
    item: Item | None,
) -> StoredSession:
    async with open_existing(access) as store:
        session = await session_named(store, target, branch)
        if item is not None and isinstance(end, Position):
            return await session.edit(end.position, item, name)
        return await session.fork(name, at=end)
