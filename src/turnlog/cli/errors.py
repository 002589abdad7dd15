"""From an error to one clear line and an exit status."""

import os
import sqlite3
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from turnlog.cli.secrets import shown, without_secrets
from turnlog.cli.text import plain
from turnlog.errors import TurnlogError

__all__ = ["Problem", "told"]

_MEANINGS = {
    sqlite3.SQLITE_BUSY: "is locked by another program; try again when that has finished",
    sqlite3.SQLITE_CANTOPEN: "can't be opened: no such folder, no file, or not yours to use",
    sqlite3.SQLITE_FULL: "can't grow: the disk is full",
    sqlite3.SQLITE_NOTADB: "is not a database",
    sqlite3.SQLITE_PERM: "is not yours to use",
    sqlite3.SQLITE_READONLY: "can't be written to: it is read-only",
    sqlite3.SQLITE_CORRUPT: "is damaged",
}

_DRIVERS = {
    "aiomysql",
    "asyncmy",
    "asyncpg",
    "dapr",
    "grpc",
    "psycopg",
    "pymysql",
    "redis",
    "sqlalchemy",
}


class Problem(Exception):
    """Something to tell the user in one line. The exit status is 1."""


@contextmanager
def told(store: str) -> Iterator[None]:
    """Tell what goes wrong with `store` in one line on stderr, and end with a status."""
    try:
        yield
    except BrokenPipeError:
        # Whoever read our output has had enough. Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except sqlite3.Error as error:
        _end(f"{shown(store)} {_meaning(error)}", store)
    except (Problem, TurnlogError, ImportError, OSError, ValueError) as error:
        # A ValueError is how stores refuse a name that they can't hold.
        _end(str(error), store)
    except Exception as error:
        if not _is_of_a_driver(error):
            raise
        _end(f"{shown(store)} fails: {_first_line(error)}", store)


def _meaning(error: sqlite3.Error) -> str:
    return _MEANINGS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, f"fails: {error}")


def _is_of_a_driver(error: Exception) -> bool:
    """Whether a database's driver raised it; a mistake of ours keeps its traceback."""
    # A driver that doesn't know an option of the URL raises a plain TypeError.
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = {type(error).__module__, str(frames[-1].f_globals.get("__name__"))}
    return not _DRIVERS.isdisjoint(module.partition(".")[0] for module in modules)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _end(text: str, store: str) -> None:
    line = plain(without_secrets(text, store)).replace("\n", "\\n")
    typer.echo(f"turnlog: {line}", err=True)
    raise typer.Exit(1)
