"""Programs that tests start as processes of their own."""

import sys

__all__ = ["command"]


def command(name: str, *arguments: object) -> list[str]:
    """The command that starts a program of this folder; it has to be run in `tests.ROOT`."""
    return [sys.executable, "-m", f"{__name__}.{name}", *map(str, arguments)]
