"""Database files: created for their owner alone, and checked for replacement.

An open descriptor is not what a path names: after `rm` or `mv`, SQLite goes on writing to a
file that nobody will find again. So every write compares the two.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from turnlog.errors import FileReplaced

__all__ = ["FileId", "OpenFile", "create", "file_id", "remove_wal", "wal_of"]

#: Device and inode: equal for two paths exactly when they name one file.
FileId: TypeAlias = tuple[int, int]

# Closing a descriptor drops all locks that the process holds on its file. So nobody may
# find the new file, and lock it, before its first descriptor is closed.
_creating = threading.Lock()


class OpenFile:
    """The database file that an engine has open, and whether its path still names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: The file that the connections are on; None before the first is open.
        self.id: FileId | None = None
        self._wal_path = wal_of(path)

    @property
    def is_lost(self) -> bool:
        """Whether the path names another file than the one that is open, or none."""
        return self.id is not None and self.id != file_id(self.path)

    @property
    def has_wal(self) -> bool:
        """Whether there is a WAL beside the path."""
        return file_id(self._wal_path) is not None

    def opened(self) -> None:
        """Remember the file that a first connection was just opened on."""
        self.id = self.id or file_id(self.path)

    def check(self) -> None:
        """Raise `FileReplaced` if the path names another file by now."""
        if self.is_lost:
            raise FileReplaced(str(self.path), is_unwritten=True)

    def check_wal(self, db: sqlite3.Connection, *, is_unwritten: bool) -> None:
        """Raise `FileReplaced` if another WAL lies beside the path than the one `db` is on.

        is_unwritten: whether nothing was committed yet.
        """
        wal: FileId | None = getattr(db, "wal", None)
        if wal is not None and wal != file_id(self._wal_path):
            raise FileReplaced(str(self.path), is_unwritten)

    def explain(self, error: Exception) -> Exception:
        """The error, saying which file it is about, or that the file was replaced."""
        if isinstance(error, sqlite3.Error):
            if self.is_lost:
                return FileReplaced(str(self.path), is_unwritten=False)
            error.add_note(f"database file: {self.path}{_cure(error, self.path)}")
        return error


def _cure(error: sqlite3.Error, path: Path) -> str:
    """Why a path can't be used, where that is seen, and what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return "; it was made by another program, and is unchanged: choose another path"
    if code != sqlite3.SQLITE_CANTOPEN:
        return ""
    if path.is_dir():
        return "; this is a folder: name a file in it"
    if not path.parent.is_dir():
        return "; its folder is missing: make it first"
    return "; check the rights of the file and of its folder"


def file_id(path: str | os.PathLike[str]) -> FileId | None:
    """The identity of the file that `path` names now; None if there is no file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - at every commit, and Path takes twice the time
    except OSError:
        return None
    return status.st_dev, status.st_ino


def wal_of(path: Path) -> str:
    """The path of the write-ahead log (WAL) beside a database file."""
    return f"{path}-wal"


def create(path: Path) -> None:
    """Create the file if it is missing, readable and writable by its owner alone.

    SQLite gives -wal, -shm and -journal the mode of the database file.
    """
    # If the path can't be used, SQLite meets that next and reports it better.
    with _creating, suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def remove_wal(path: Path, wal: FileId | None) -> None:
    """Remove the WAL beside `path`, and its index (-shm), if it is still `wal`.

    If it is missing, another process has removed it, and may be about to begin the next one.
    """
    if wal is not None and file_id(wal_of(path)) == wal:
        for file in (wal_of(path), f"{path}-shm"):
            Path(file).unlink(missing_ok=True)
