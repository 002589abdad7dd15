"""`turnlog rewind`: dropping the newest part of a branch."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.text import Text

from turnlog.cli.errors import Problem, errors_reported
from turnlog.cli.lines import print_lines, rfc3339
from turnlog.cli.paging import Output
from turnlog.cli.rendering import described
from turnlog.cli.stores import DEFAULT_STORE, Access, KeyFileOption, StoreOption, open_existing
from turnlog.cli.targets import BranchOption, Named, session_named
from turnlog.cli.text import counted, one_line
from turnlog.conversation.branches.rewind import Rewind, Target, planned_rewind
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.session import StoredSession
from turnlog.items.json import decode_all
from turnlog.records import Log, Record

__all__ = ["rewind"]

# So many characters of an item are shown, to recognise it by.
_WIDTH = 60


def rewind(
    target: Named,
    store: StoreOption = DEFAULT_STORE,
    key_file: KeyFileOption = None,
    branch: BranchOption = None,
    to: Annotated[
        int | None, typer.Option(min=0, help="The position of the last item to keep; 0 keeps none.")
    ] = None,
    turns: Annotated[int | None, typer.Option(min=1, help="Drop the newest N turns.")] = None,
    keep_as: Annotated[
        str | None, typer.Option(help="First keep all of it as a branch of this name.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Rewind without asking.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only show what would go.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Drop the newest turns of a conversation. Without --keep-as, this can't be undone."""
    if (to is None) == (turns is None):
        raise typer.BadParameter("say either --turns N, or --to POSITION, which is kept")
    access = Access(store, key_file)
    with errors_reported(store):
        planned = asyncio.run(_planned(access, target, branch, Target(turns=turns, position=to)))
        if planned.dropped and not dry_run:
            # Asked while no event loop runs: inside one, Ctrl-C would not stop the question.
            if not yes and not _agreed(planned, keep_as):
                return
            asyncio.run(_make(access, planned, keep_as))
        if as_json:
            print_lines(map(_as_dict, planned.dropped))
        else:
            _print(planned, dry_run=dry_run, keep_as=keep_as)


async def _planned(access: Access, text: str, branch: str | None, target: Target) -> Rewind:
    async with open_existing(access) as store:
        session = await session_named(store, text, branch)
        log = Log(session.session_id, session.branch)
        return await planned_rewind(LogReader(store, log), target)


async def _make(access: Access, planned: Rewind, keep_as: str | None) -> None:
    """Drop what was shown, and nothing that was written since."""
    async with open_existing(access) as store:
        session = StoredSession(planned.log.session, store, branch=planned.log.name)
        await planned.make(session, keep_as)


def _agreed(planned: Rewind, keep_as: str | None) -> bool:
    if not sys.stdin.isatty():
        raise Problem("stdin is not a terminal; pass --yes")
    _list(planned)
    kept = "" if keep_as is None else f" (all of it stays on branch {one_line(keep_as)})"
    place = f"{one_line(planned.log.session)}, branch {one_line(planned.log.name)}"
    return typer.confirm(f"Drop {counted(len(planned.dropped), 'item')} of {place}?{kept}")


def _print(planned: Rewind, *, dry_run: bool, keep_as: str | None) -> None:
    if not planned.dropped:
        typer.echo("nothing was dropped: no item lies behind that position")
        return
    if dry_run:
        _list(planned)
    done = "would drop" if dry_run else "dropped"
    kept = "" if keep_as is None else f"; all of it is kept on branch {one_line(keep_as)}"
    typer.echo(f"{done} {counted(len(planned.dropped), 'item')} behind #{planned.end}{kept}")


def _list(planned: Rewind) -> None:
    """A line for each item that goes."""
    console = Output(soft_wrap=True)
    pairs = zip(planned.dropped.positions, decode_all(planned.dropped.payloads), strict=True)
    for position, item in pairs:
        heading, body = ("(can't be decoded)", "") if item is None else described(item)
        text = one_line(body)[:_WIDTH]
        console.print(Text(f"#{position}  {one_line(heading)}  {text}"))


def _as_dict(record: Record) -> dict[str, object]:
    [item] = decode_all([record.payload])
    return {
        "position": record.position,
        "created_at": rfc3339(record.created_at),
        "item": item,
    }
