"""`turnlog usage`: the tokens that a conversation has spent."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, TypeAlias

import typer
from rich.table import Table
from rich.text import Text

from turnlog.cli.errors import errors_reported
from turnlog.cli.lines import print_lines
from turnlog.cli.paging import Output
from turnlog.cli.stores import DEFAULT_STORE, Access, KeyFileOption, StoreOption, open_existing
from turnlog.cli.targets import BranchOption, Named, session_named
from turnlog.cli.text import one_line
from turnlog.conversation.usage.usage import Usage, total

__all__ = ["usage"]

By: TypeAlias = Literal["turn", "run", "agent", "model"]

_COLUMNS = ("requests", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


def usage(
    target: Named,
    store: StoreOption = DEFAULT_STORE,
    key_file: KeyFileOption = None,
    branch: BranchOption = None,
    by: Annotated[
        By | None, typer.Option(help="What is counted together: a turn; with --all, a model.")
    ] = None,
    turns: Annotated[int | None, typer.Option(min=1, help="Only of the newest N turns.")] = None,
    all_branches: Annotated[
        bool, typer.Option("--all", help="Of all branches; copied turns count once.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one object per line.")] = False,
) -> None:
    """Show the tokens that were spent: per turn, run, agent or model, and in all."""
    if all_branches and by == "turn":
        message = "a turn has a number on one branch only: say --by run, agent or model"
        raise typer.BadParameter(message, param_hint="--all")
    by = by or ("model" if all_branches else "turn")
    access = Access(store, key_file)
    with errors_reported(store):
        spent = asyncio.run(_spent(access, target, branch, by, turns, all_branches))
        if as_json:
            print_lines({by: name, **_counts(used)} for name, used in spent.items())
        else:
            _print(by, spent)


async def _spent(
    access: Access, target: str, branch: str | None, by: By, turns: int | None, all_branches: bool
) -> Mapping[int | str | None, Usage]:
    async with open_existing(access) as store:
        session = await session_named(store, target, branch)
        which: Literal["this", "all"] = "all" if all_branches else "this"
        spent = await session.usage(by, branches=which, turns=turns)
        return {name: used for name, used in spent.items()}  # noqa: C416 - of another type


def _counts(used: Usage) -> dict[str, int]:
    return {name: getattr(used, name) for name in (*_COLUMNS, "total_tokens")}


def _print(by: str, spent: Mapping[int | str | None, Usage]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column(by, overflow="fold")
    for column in (*_COLUMNS, "total_tokens"):
        table.add_column(column.removesuffix("_tokens"), justify="right")
    for name, used in spent.items():
        table.add_row(_name(name), *_numbers(used))
    if len(spent) > 1:
        table.add_row(Text("total", style="bold"), *_numbers(total(spent.values())))
    Output().print(table if spent else "no usage was recorded")


def _name(name: int | str | None) -> Text:
    if name is None:
        return Text("(turns that were dropped)")
    return Text(one_line(str(name)) or "(not known)")


def _numbers(used: Usage) -> Iterable[str]:
    return map(str, _counts(used).values())
