"""`turnlog keygen`: a key file, or one more key in it."""

import shlex
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from turnlog.cli.errors import Problem, errors_reported
from turnlog.cli.text import one_line
from turnlog.layers.encryption.key_files import write_key_file
from turnlog.layers.encryption.key_sets import KeySet
from turnlog.layers.encryption.key_values import id_problem

__all__ = ["keygen"]

_FIRST = (
    "Keep a copy where no backup of the store is: without the key, nothing can be read. "
    "Use it with --key-file or TURNLOG_KEY_FILE, and Keyring.from_file in Python."
)
_ADDED = (
    "{new} encrypts nothing yet. Copy the file to every machine and restart every process; "
    "when all have it: turnlog keygen {file} --id {new} --primary"
)
_PRIMARY = (
    "{new} encrypts what is new. Every process needs it now. Keep the other keys until "
    "nothing is wrapped by them."
)


def keygen(
    file: Annotated[Path, typer.Argument(help="The key file; made if it isn't there.")],
    key_id: Annotated[
        str | None, typer.Option("--id", help="Id of the key; otherwise the month.")
    ] = None,
    primary: Annotated[
        bool,
        typer.Option("--primary", help="Encrypt with this key from now on; also one that's there."),
    ] = False,
) -> None:
    """Make a key file that only you can read, or add a key to it. Prints ids, never keys."""
    if key_id is not None and (problem := id_problem(key_id)):
        raise typer.BadParameter(problem, param_hint="--id")
    with errors_reported(str(file)):
        known: list[str] = []
        keys = write_key_file(file, lambda before: _changed(before, key_id, primary, known))
        _print(keys, known)
        typer.echo(_next(file, keys, key_id, known), err=True)


def _changed(before: KeySet | None, key_id: str | None, primary: bool, known: list[str]) -> KeySet:
    """The key set to write. The ids that were there are added to `known`."""
    known += before.ids if before else []
    chosen = key_id or _free_id(known)
    if before is None:
        return KeySet.new(chosen)
    if chosen not in known:
        before = before.with_new(chosen)
    elif not primary:
        raise Problem(
            f"the file has a key '{one_line(chosen)}', and it was not changed: choose another "
            "--id, or pass --primary to encrypt with that key"
        )
    return before.with_primary(chosen) if primary else before


def _free_id(known: list[str]) -> str:
    month = f"{datetime.now(UTC):%Y-%m}"
    free = (each for number in count(2) if (each := f"{month}.{number}") not in known)
    return next(free) if month in known else month


def _print(keys: KeySet, known: list[str]) -> None:
    for key_id in keys.ids:
        marks = ["primary"] * (key_id == keys.primary) + ["new"] * (key_id not in known)
        typer.echo("  ".join([one_line(key_id), *marks]))


def _next(file: Path, keys: KeySet, key_id: str | None, known: list[str]) -> str:
    """What to do after that."""
    new = next((each for each in keys.ids if each not in known), key_id)
    if not known:
        return _FIRST
    text = _PRIMARY if new == keys.primary else _ADDED
    return text.format(new=one_line(new or keys.primary), file=shlex.quote(str(file)))
