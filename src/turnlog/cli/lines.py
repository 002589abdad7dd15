"""JSON Lines: what `--json` prints, one object a line, each with the version of its form."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import typer

from turnlog.cli.text import safe_json
from turnlog.items.json import Item, encode, finite

__all__ = ["print_lines", "rfc3339", "short_time"]


def print_lines(objects: Iterable[Mapping[str, object]]) -> None:
    """Print each object as one line of JSON."""
    for each in objects:
        # Bytes, so that it is UTF-8 whatever the terminal's encoding.
        typer.echo(safe_json(encode(finite(_versioned(each)))))


def rfc3339(moment: float) -> str:
    """A time in seconds since the epoch as RFC 3339, in UTC, to the microsecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def short_time(moment: float) -> str:
    """A time in seconds since the epoch for people: local, to the minute."""
    return f"{datetime.fromtimestamp(moment, UTC).astimezone():%Y-%m-%d %H:%M}"


def _versioned(each: Mapping[str, object]) -> Item:
    return {"v": 1, **each}
