"""`turnlog migrate`."""

import asyncio
from typing import Annotated, Protocol, runtime_checkable

import typer

from turnlog.cli.errors import Problem, told
from turnlog.cli.secrets import shown
from turnlog.cli.stores import StoreOption, named

__all__ = ["migrate"]


@runtime_checkable
class _Migrating(Protocol):
    """A store whose tables need a right that it may not have."""

    async def changes(self) -> list[str]: ...
    async def migrate(self) -> None: ...


def migrate(
    store: StoreOption = "turnlog.db",
    run: Annotated[bool, typer.Option("--run", help="Run the statements, too.")] = False,
) -> None:
    """Print the SQL that makes the tables that are missing, or run it."""
    with told(store):
        statements = asyncio.run(_migrated(store, run=run))
        for statement in statements:
            typer.echo(f"{statement};")
        if not statements:
            typer.echo("-- nothing is missing")


async def _migrated(url: str, *, run: bool) -> list[str]:
    """The statements that are, or were, missing."""
    async with named(url) as store:
        if not isinstance(store, _Migrating):
            raise Problem(f"the store at {shown(url)} makes by itself what it needs")
        statements = await store.changes()
        if run:
            await store.migrate()
        return statements
