"""`turnlog rewind`: dropping the newest part of a branch."""

import asyncio
import sys
from typing import Annotated

import typer

from turnlog.cli.errors import NOT_FOUND, Problem, errors_reported
from turnlog.cli.lines import print_lines
from turnlog.cli.stores import StoreOption, open_existing
from turnlog.cli.targets import BranchOption, Target, session_named
from turnlog.cli.text import one_line
from turnlog.conversation.rewind import Doomed

__all__ = ["rewind"]

# So much of a question is shown to recognise it.
_WIDTH = 60


def rewind(
    target: Target,
    store: StoreOption = "turnlog.db",
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
        raise typer.BadParameter("say either --to or --turns")
    with errors_reported(store):
        doomed = asyncio.run(_doomed(store, target, branch, to, turns))
        if doomed.items and not dry_run and not yes:
            _ask(doomed, keep_as)
        if doomed.items and not dry_run:
            asyncio.run(_rewind(store, target, branch, doomed, keep_as))
        _tell(doomed, keep_as, as_json=as_json, went=not dry_run)
