"""Database files: created for their owner alone, and recognised when they were replaced.

An open descriptor is not what a path names: after `rm` or `mv`, SQLite goes on writing
to a file that nobody will find again. So whoever writes compares the two.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

__all__ = ["FileId", "create", "file_id", "remove_log", "wal_of"]

#: Device and inode: equal for two paths exactly when they name one file.
FileId: TypeAlias = tuple[int, int]

# Closing a descriptor drops all locks that the process holds on its file. So nobody may
# find the new file, and lock it, before its first descriptor is closed.
_creating = threading.Lock()


def file_id(path: str | os.PathLike[str]) -> FileId | None:
    """Identifies the file that `path` names now; None if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - at every commit, and Path takes twice the time
    except OSError:
        return None
    return status.st_dev, status.st_ino


def wal_of(path: Path) -> str:
    """The path of the write-ahead log beside a database file."""
    return f"{path}-wal"


def create(path: Path) -> None:
    """Make the file if it is missing, readable and writable by its owner alone.

    SQLite gives -wal, -shm and -journal the mode of the database file.
    """
    # Whatever is wrong with the path, SQLite meets it next and has the better words.
    with _creating, suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def remove_log(path: Path, log: FileId | None) -> None:
    """Remove the log beside `path`, and its index, if it is still `log`.

    If it is missing, another process has removed it, and may be about to begin the next one.
    """
    if log is not None and file_id(wal_of(path)) == log:
        for file in (wal_of(path), f"{path}-shm"):
            Path(file).unlink(missing_ok=True)
