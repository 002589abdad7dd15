"""The command line: `turnlog chat`, `ls`, `show`, `rm`. One file a command."""

import sys

from turnlog.cli.streams import steady

__all__ = ["main"]


def main() -> None:
    """Run the command that the arguments name."""
    try:
        from turnlog.cli.app import app  # noqa: PLC0415 - typer and rich are an extra
    except ModuleNotFoundError as missing:
        if missing.name not in {"typer", "rich"}:
            raise
        sys.exit("turnlog: the command line needs an extra: pip install 'turnlog[cli]'")
    steady()
    app()
