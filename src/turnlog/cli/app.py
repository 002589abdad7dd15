"""Commands of the command line. A new one is a file in this folder and a line below."""

from typing import Annotated

import typer

import turnlog
from turnlog.cli.chat import chat
from turnlog.cli.compact import compact
from turnlog.cli.destroy_keys import destroy_keys
from turnlog.cli.diff import diff
from turnlog.cli.fork import fork
from turnlog.cli.keygen import keygen
from turnlog.cli.ls import ls
from turnlog.cli.migrate import migrate
from turnlog.cli.reencrypt import reencrypt
from turnlog.cli.rewind import rewind
from turnlog.cli.rm import rm
from turnlog.cli.show import show
from turnlog.cli.tree import tree
from turnlog.cli.usage import usage

__all__ = ["app"]

app = typer.Typer(
    name="turnlog",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda asked: _print_version(asked=asked),
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Show and manage stored conversations of AI agents."""


def _print_version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"turnlog {turnlog.__version__}")
        raise typer.Exit


app.command()(chat)
app.command()(ls)
app.command()(show)
app.command()(tree)
app.command()(fork)
app.command()(rewind)
app.command()(compact)
app.command()(diff)
app.command()(usage)
app.command()(rm)
app.command()(migrate)
app.command()(keygen)
app.command()(reencrypt)
app.command(name="destroy-keys")(destroy_keys)
