"""Error messages: one clear line on stderr and an exit status."""

import os
import sqlite3
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from turnlog.cli.secrets import shown, without_secrets
from turnlog.cli.text import plain
from turnlog.errors import (
    BranchDeleted,
    Conflict,
    LeaseLost,
    NoSuchBranch,
    NoSuchRecord,
    NoSuchTurn,
    SessionBusy,
    TurnlogError,
)

__all__ = ["BUSY", "DIFFERENT", "NOT_FOUND", "Problem", "errors_reported", "model_failed"]

#: Exit statuses, beside 0 (done), 1 (failed), 2 (used wrongly) and 130 (interrupted): no such
#: session, branch or position; two things differ; held by a run, or changed meanwhile.
NOT_FOUND, DIFFERENT, BUSY = 3, 4, 5

_MEANINGS = {
    sqlite3.SQLITE_BUSY: "is locked by another program; try again when it has finished",
    sqlite3.SQLITE_CANTOPEN: "can't be opened: no such folder, not a file, or access denied",
    sqlite3.SQLITE_FULL: "can't be written to: the disk is full",
    sqlite3.SQLITE_NOTADB: "is not a database",
    sqlite3.SQLITE_PERM: "can't be used: access denied",
    sqlite3.SQLITE_READONLY: "can't be written to: it is read-only",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore a backup",
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
    """A problem to report in one line, with an exit status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


@contextmanager
def errors_reported(store: str) -> Iterator[None]:
    """Report errors of `store` in one line on stderr, and exit with a status."""
    try:
        yield
    except BrokenPipeError:
        # The reader of our output has closed it, and Python would report that at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except sqlite3.Error as error:
        _end(f"{shown(store)} {_meaning(error)}", store)
    except Problem as error:
        _end(str(error), store, error.status)
    except (NoSuchBranch, NoSuchRecord, NoSuchTurn, BranchDeleted) as error:
        _end(str(error), store, NOT_FOUND)
    except (Conflict, SessionBusy, LeaseLost) as error:
        _end(f"{error}; try again", store, BUSY)
    except (TurnlogError, ImportError, OSError, ValueError) as error:
        # Stores raise ValueError for a name that they can't hold.
        _end(str(error), store)
    except Exception as error:  # noqa: BLE001 - what is no driver's is raised again
        _end(_explained(error, store), store)


def _explained(error: Exception, store: str) -> str:
    """One line on an error of a driver or of a provider's client. A bug of ours is raised."""
    if _package_of(type(error).__module__) == "openai":
        return model_failed(error)
    if _is_of_a_driver(error):
        return f"{shown(store)} failed: {_first_line(error)}"
    raise error


def model_failed(error: Exception) -> str:
    """One line on an error of a provider's client, without the key that a server may repeat."""
    line = _noted(error)
    key = os.environ.get("OPENAI_API_KEY")
    return f"the model failed: {type(error).__name__}: {line.replace(key, '***') if key else line}"


def _meaning(error: sqlite3.Error) -> str:
    return _MEANINGS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, f"failed: {error}")


def _is_of_a_driver(error: Exception) -> bool:
    """Whether a database driver raised it; a bug of ours keeps its traceback."""
    # For an unknown option in the URL, a driver raises a plain TypeError.
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = {type(error).__module__, str(frames[-1].f_globals.get("__name__"))}
    return not _DRIVERS.isdisjoint(map(_package_of, modules))


def _package_of(module: str) -> str:
    return module.partition(".")[0]


def _noted(error: Exception) -> str:
    """The first line of an error, and its notes: what we know more about it."""
    return "; ".join([_first_line(error), *getattr(error, "__notes__", [])])


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _end(text: str, store: str, status: int = 1) -> None:
    line = plain(without_secrets(text, store)).replace("\n", "\\n")
    typer.echo(f"turnlog: {line}", err=True)
    raise typer.Exit(status)
