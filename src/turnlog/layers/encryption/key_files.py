"""Key files: reading them, and writing them so that nobody else ever reads one.

A new version is written beside the file and takes its place in one step. The name of that second
file is always the same, so it also keeps two writers apart.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from turnlog.layers.encryption.key_sets import KeySet, key_set_of

__all__ = ["read_key_file", "write_key_file"]

_LARGEST = 2**20
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OWN = stat.S_IRUSR | stat.S_IWUSR


def read_key_file(path: Path) -> KeySet | str:
    """The key set in a file, or the problem with its content, which quotes none of it.

    Raises `OSError` if it can't be read, and `PermissionError` if anybody but its owner may read
    or write it, or if it belongs to somebody else than this user or root.
    """
    try:
        opened = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no key file {path}: make one with `turnlog keygen {path}`, or copy the one "
            "that wrote the store"
        ) from None
    try:
        # Of the opened file, so that it can't be exchanged after the check; links are followed.
        status = os.fstat(opened)
        _check_private(path, status)
        if status.st_size > _LARGEST:
            return "it is larger than a key file can be"
        with os.fdopen(opened, "rb", closefd=False) as file:
            return key_set_of(file.read(_LARGEST))
    finally:
        os.close(opened)


def write_key_file(path: Path, change: Callable[[KeySet | None], KeySet]) -> KeySet:
    """Write what `change` makes of the key set in a file; it gets None if there is no file.

    Nobody but the owner can read the file at any moment, and a reader finds the old one or the new
    one, whole. A file that appears meanwhile is not overwritten.

    Returns what was written. Raises as `read_key_file` and `change` do, `ValueError` for content
    that is no key set, and `FileExistsError` if another process is writing the file.
    """
    path = Path(os.path.realpath(path))
    new = path.with_name(f".{path.name}.new")
    file = _made(new, path)
    try:
        with file:
            before = _existing(path)
            keys = change(before)
            if before is not None:
                _give_to_owner_of(path, file.fileno())
            file.write(keys.encoded())
            file.flush()
            os.fsync(file.fileno())
        _publish(new, path, is_first=before is None)
    except BaseException:
        new.unlink()
        raise
    return keys


def _made(new: Path, path: Path) -> BinaryIO:
    try:
        opened = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWN)
    except FileExistsError:
        raise FileExistsError(
            f"{new} is there: another process is writing {path}, or was stopped while it did; "
            "then delete it"
        ) from None
    return os.fdopen(opened, "wb")


def _existing(path: Path) -> KeySet | None:
    if not path.exists():
        return None
    found = read_key_file(path)
    if isinstance(found, KeySet):
        return found
    raise ValueError(f"the key file {path} can't be used, and was not changed: {found}")


def _give_to_owner_of(path: Path, descriptor: int) -> None:
    """So that root can add a key to the file of a service, which then still can read it."""
    status = path.stat()
    if os.name == "posix" and status.st_uid != os.geteuid():
        os.fchown(descriptor, status.st_uid, status.st_gid)


def _publish(new: Path, path: Path, *, is_first: bool) -> None:
    if not is_first:
        new.replace(path)
    elif os.name == "posix":
        path.hardlink_to(new)  # fails if there is a file by now
        new.unlink()
    else:
        new.rename(path)  # the same, on Windows
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """So that the file is still there after a power loss; Windows has no such call."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PermissionError(f"the key file {path} is not a regular file: name the file itself")
    if os.name != "posix":
        return
    if status.st_uid not in {os.geteuid(), 0}:
        raise PermissionError(
            f"the key file {path} belongs to another user, who could change it: make a copy of "
            "your own with mode 600"
        )
    if status.st_mode & _OTHERS:
        raise PermissionError(
            f"the key file {path} is open to other users (mode {status.st_mode & 0o777:o}): "
            f"chmod 600 {path}"
        )
