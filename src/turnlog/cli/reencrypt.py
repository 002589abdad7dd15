"""`turnlog reencrypt`: the keys of an encrypted store, counted and rotated."""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from turnlog.cli.errors import Problem, errors_reported
from turnlog.cli.stores import DEFAULT_STORE, Access, KeyFileOption, StoreOption, open_encrypted
from turnlog.cli.text import one_line

if TYPE_CHECKING:
    from turnlog.layers.encryption.rotated import KeyCounts, Rotated

__all__ = ["reencrypt"]


def reencrypt(
    store: StoreOption = DEFAULT_STORE,
    key_file: KeyFileOption = None,
    reseal: Annotated[
        bool,
        typer.Option(
            "--reseal/--rewrap",
            help="New data keys and records sealed anew, or only data keys wrapped anew.",
        ),
    ] = False,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain", help="With --reseal: also encrypt what was stored without encryption."
        ),
    ] = False,
    prefix: Annotated[str, typer.Option(help="Only sessions whose ids begin with this.")] = "",
    before: Annotated[
        str | None,
        typer.Option(
            help="With --reseal: skip what has a data key since this time, as 2026-11-28T08:00:00Z."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Only count what is wrapped by which key.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Use the primary key of the key file for all conversations, while others read and write."""
    if before is not None and not reseal:
        raise typer.BadParameter("it says what --reseal skips", param_hint="--before")
    if plain and not reseal:
        raise typer.BadParameter("it says what --reseal encrypts as well", param_hint="--plain")
    began = time.time() if before is None else _time(before)
    access = Access(store, key_file)
    with errors_reported(store):
        if dry_run:
            _print_counts(asyncio.run(_counts(access, prefix)), as_json=as_json)
        else:
            rotated = asyncio.run(_rotated(access, prefix, began if reseal else None, plain))
            _print(rotated, as_json=as_json)
            _check(rotated)


def _time(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = "it is not a time: write 2026-11-28T08:00:00Z"
        raise typer.BadParameter(message, param_hint="--before") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


async def _counts(access: Access, prefix: str) -> "KeyCounts":
    async with open_encrypted(access) as store:
        return await store.key_counts(prefix=prefix)


async def _rotated(access: Access, prefix: str, began: float | None, plain: bool) -> "Rotated":
    async with open_encrypted(access, "ours+plain" if plain else "ours") as store:
        if began is None:
            return await store.rewrap(prefix=prefix, progress=_tell)
        moment = datetime.fromtimestamp(began, UTC).isoformat()
        again = f"--reseal{' --plain' * plain} --before {moment}"
        typer.echo(f"if this is interrupted, resume it with {again}", err=True)
        return await store.reseal(before=began, prefix=prefix, progress=_tell)


def _tell(rotated: "Rotated") -> None:
    """Show how far it has come, to a person who watches."""
    if sys.stderr.isatty() and rotated.conversations % 100 == 0:
        typer.echo(f"{rotated.conversations} conversations", err=True)


def _print(rotated: "Rotated", *, as_json: bool) -> None:
    counts = {
        "conversations": rotated.conversations,
        "changed": rotated.changed,
        "data_keys": rotated.keys,
        "records": rotated.records,
        "unreadable": rotated.unreadable,
        "destroyed": rotated.destroyed,
        "failed": len(rotated.failed),
    }
    if as_json:
        typer.echo(json.dumps(counts))
        return
    for name, count in counts.items():
        typer.echo(f"{name.replace('_', ' '):14}{count:>10}")


def _check(rotated: "Rotated") -> None:
    """Report what was left behind, which ends with status 1."""
    for session, error in rotated.failed.items():
        typer.echo(f"turnlog: {one_line(session)}: {one_line(error.problem)}", err=True)
    if rotated.failed:
        raise Problem(f"{len(rotated.failed)} conversations were left as they are; see above")
    if rotated.unreadable:
        raise Problem(
            f"{rotated.unreadable} records or notes can't be opened: they stay as they are, and "
            "so do their keys"
        )


def _print_counts(counts: "KeyCounts", *, as_json: bool) -> None:
    if as_json:
        keys = {
            key_id: {"conversations": count, "data_keys": counts.data_keys[key_id]}
            for key_id, count in sorted(counts.conversations.items())
        }
        others = {"without": counts.without, "destroyed": counts.destroyed}
        typer.echo(json.dumps({"keys": keys, **others}))
        return
    for key_id, count in sorted(counts.conversations.items()):
        name = one_line(key_id) if key_id else "(not told by the provider)"
        typer.echo(f"{name}: {count} conversations, {counts.data_keys[key_id]} data keys")
    typer.echo(f"without keys, plain or empty: {counts.without} conversations")
    typer.echo(f"keys destroyed: {counts.destroyed} conversations")
