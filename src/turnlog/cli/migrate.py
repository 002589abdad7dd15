"""`turnlog migrate`: the SQL for missing tables and indexes, and for those of older versions."""

import asyncio
from typing import Annotated, Protocol, runtime_checkable

import typer

from turnlog.cli.errors import Problem, errors_reported
from turnlog.cli.secrets import shown
from turnlog.cli.stores import DEFAULT_STORE, StoreOption, check_exists, open_named

__all__ = ["migrate"]


@runtime_checkable
class _Migrating(Protocol):
    """A store whose tables may have to be made by another database user."""

    async def changes(self) -> list[str]: ...
    async def migrate(self) -> None: ...


def migrate(
    store: StoreOption = DEFAULT_STORE,
    run: Annotated[bool, typer.Option("--run", help="Run the statements, too.")] = False,
) -> None:
    """Print the SQL that makes missing tables and upgrades older ones, or run it."""
    with errors_reported(store):
        statements = asyncio.run(_migrated(store, run=run))
        for statement in statements:
            typer.echo(f"{statement};")
        if not statements:
            typer.echo("-- nothing is missing")


async def _migrated(url: str, *, run: bool) -> list[str]:
    """The statements for what is missing, or was before they were run."""
    async with open_named(url) as store:
        if not isinstance(store, _Migrating):
            raise Problem(f"the store at {shown(url)} makes what it needs by itself")
        if not run:
            check_exists(store, url)
        statements = await store.changes()
        if run:
            await store.migrate()
        return statements
