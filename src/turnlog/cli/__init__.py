"""Command line `turnlog`: one file per command; `app` lists them."""

import sys

from turnlog.cli.streams import prepare_streams

__all__ = ["main"]


def main() -> None:
    """Run the command that the arguments name."""
    try:
        from turnlog.cli.app import app  # noqa: PLC0415 - typer and rich are an extra
    except ModuleNotFoundError as missing:
        if missing.name not in {"typer", "rich"}:
            raise
        sys.exit("turnlog: the command line needs typer: pip install 'turnlog[cli]'")
    prepare_streams()
    app()
