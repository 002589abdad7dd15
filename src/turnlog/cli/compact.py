"""`turnlog compact`: older turns shown as a summary, and the undoing of that."""

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Annotated

import typer

from turnlog.cli.errors import Problem, errors_reported, model_failed
from turnlog.cli.lines import print_lines
from turnlog.cli.stores import DEFAULT_STORE, Access, KeyFileOption, StoreOption, open_existing
from turnlog.cli.targets import BranchOption, Named, session_named
from turnlog.cli.text import counted
from turnlog.conversation.compaction.summariser import Summarised, Summariser
from turnlog.conversation.summaries.outcome import CompactionResult
from turnlog.items.json import Item

__all__ = ["compact"]

#: How many of the newest turns are kept unless `--keep` says it.
_KEEP = 2


def compact(
    target: Named,
    store: StoreOption = DEFAULT_STORE,
    key_file: KeyFileOption = None,
    branch: BranchOption = None,
    keep: Annotated[
        int | None,
        typer.Option(min=0, help="Keep the newest N turns as they are.", show_default=str(_KEEP)),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Drop the newest summary.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only tell what would be covered.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show a model the older turns of a conversation as a summary. All items stay stored.

    The summary is written by the model that the environment names: OPENAI_API_KEY, and
    TURNLOG_MODEL or OPENAI_DEFAULT_MODEL.
    """
    if undo and (dry_run or keep is not None):
        raise typer.BadParameter("--undo goes without --dry-run and --keep: it drops the summary")
    access = Access(store, key_file)
    with errors_reported(store):
        if undo:
            _print_undone(asyncio.run(_undone(access, target, branch)), as_json=as_json)
            return
        summarise = None if dry_run else _summariser()
        result = asyncio.run(
            _compacted(access, target, branch, _KEEP if keep is None else keep, summarise)
        )
        if as_json:
            print_lines([dataclasses.asdict(result)] if result else [])
        else:
            _print(result)


async def _undone(access: Access, target: str, branch: str | None) -> bool:
    async with open_existing(access) as store:
        return await (await session_named(store, target, branch)).drop_summary()


async def _compacted(
    access: Access, target: str, branch: str | None, keep: int, summarise: Summariser | None
) -> CompactionResult | None:
    """The result of the compaction, or with no `summarise` of a dry run."""
    async with open_existing(access) as store:
        session = await session_named(store, target, branch)
        return await session.compact(summarise, keep=keep, dry_run=summarise is None)


def _summariser() -> Summariser:
    """Has the model that the environment names write the summary."""
    # Agents take longer to import than all else, and the other commands do without them.
    from turnlog.agents.models.environment import default_name  # noqa: PLC0415 - see above
    from turnlog.agents.summarising import summarised_by  # noqa: PLC0415 - see above

    if default_name() is None:
        raise Problem(
            "no model can write the summary: set OPENAI_API_KEY, or pass --dry-run to see what "
            "would be covered"
        )
    return _reported(summarised_by())


def _reported(summarise: Summariser) -> Summariser:
    """`summarise`; its errors, which are those of a provider's client, become one line."""

    async def reported(items: list[Item]) -> str | Sequence[Item] | Summarised:
        try:
            return await summarise(items)
        except Exception as error:
            raise Problem(
                f"no summary was written, and nothing has changed: {model_failed(error)}"
            ) from error

    return reported


def _print_undone(done: bool, *, as_json: bool) -> None:
    if as_json:
        print_lines([{"dropped": done}])
    else:
        typer.echo("dropped the summary" if done else "there is no summary to drop")


def _print(result: CompactionResult | None) -> None:
    if result is None:
        typer.echo("nothing was covered: there are no older turns, or they changed meanwhile")
        return
    done = "a summary covers" if result.is_stored else "a summary would cover"
    what = f"{counted(result.covered, 'item')} of {counted(result.turns, 'turn')}"
    by = f", written by {result.model}" if result.model else ""
    typer.echo(f"{done} {what}, up to #{result.covers}{by}")
