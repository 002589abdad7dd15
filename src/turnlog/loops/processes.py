"""Process identity: how a record names the process that wrote it, and whether that one is gone.

A name is "machine/pid/start". The machine stands for one boot of one kernel and for the namespaces
in which the two numbers count; it is a hash, so that it tells nothing but whether two are equal.
The start, in clock ticks since the boot, tells a process from a later one with the same pid.

All of it comes from /proc of Linux. Elsewhere a process has no name, and none is known to be gone.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

__all__ = ["described_process", "is_alive", "is_gone", "own_process"]

_PROC = Path("/proc")

# The namespaces in which a pid and a start time count. Old kernels don't have the second.
_NAMESPACES = ("pid", "time")


_FORM = re.compile(r"([0-9a-f]+)/([1-9][0-9]{0,8})/([0-9]{1,19})")


class _Process(NamedTuple):
    machine: str
    pid: int
    start: int

    def __str__(self) -> str:
        return f"{self.machine}/{self.pid}/{self.start}"


class _Stat(NamedTuple):
    """State of a process, as the kernel tells it.

    has_ended: it is a zombie: it runs no more, and its parent has not asked for its end yet.
    """

    pid: int
    start: int
    has_ended: bool


def own_process() -> str | None:
    """The name of this process; None where that can't be known."""
    own = _own()
    return None if own is None else str(own)


def is_gone(process: str | None) -> bool:
    """Whether the process of this name is known to have ended.

    False for a process of another machine or container, and wherever that can't be known. A
    process that is stopped, or hidden from this user, is not gone.
    """
    own, other = _own(), _parsed(process)
    if own is None or other is None or other.machine != own.machine:
        return False
    try:
        os.kill(other.pid, 0)  # sends nothing
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it exists and belongs to another user
    stat = _stat(str(other.pid))
    return stat is not None and (stat.has_ended or stat.start != other.start)


def is_alive(process: str | None) -> bool:
    """Whether the process of this name is known to live, because it is on this machine."""
    own, other = _own(), _parsed(process)
    is_here = own is not None and other is not None and other.machine == own.machine
    return is_here and not is_gone(process)


def described_process(process: str | None) -> str:
    """The process of this name in words, for messages."""
    own, other = _own(), _parsed(process)
    if other is None:
        return "an unknown process"
    if own is not None and other.machine == own.machine:
        return f"process {other.pid} on this machine"
    return f"process {other.pid} on another machine or in another container"


def _own() -> _Process | None:
    """This process. It is asked for once; a forked child asks anew."""
    global _known  # noqa: PLW0603 - one for the whole process
    known, pid = _known, os.getpid()
    if known is None or known[0] != pid:
        known = _known = pid, _asked(pid)
    return known[1]


def _asked(pid: int) -> _Process | None:
    if sys.platform != "linux":
        return None
    stat = _stat("self")
    if stat is None or stat.pid != pid:
        return None  # this /proc counts the pids of another namespace
    try:
        machine = "/".join(_facts_of_machine())
    except OSError:
        return None
    return _Process(blake2b(machine.encode(), digest_size=8).hexdigest(), pid, stat.start)


def _facts_of_machine() -> Iterator[str]:
    yield (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    for name in _NAMESPACES:
        path = _PROC / "self/ns" / name
        if name == "pid" or path.exists():
            yield path.readlink().name


def _stat(process: str) -> _Stat | None:
    """What /proc tells of a process; None if it can't be read."""
    with suppress(OSError, ValueError, IndexError):
        text = (_PROC / process / "stat").read_bytes()
        # The name of the program, in brackets, may contain anything, also brackets.
        pid, rest = int(text.split(maxsplit=1)[0]), text[text.rindex(b")") + 1 :].split()
        state, threads, start = rest[0], int(rest[17]), int(rest[19])
        # The first thread alone may end as well; then the others are counted here.
        return _Stat(pid, start, state in (b"Z", b"X") and threads <= 1)
    return None


def _parsed(process: str | None) -> _Process | None:
    """The process that a record names; None if it names none in this form."""
    found = _FORM.fullmatch(process or "")
    return None if found is None else _Process(found[1], int(found[2]), int(found[3]))


def _forget_in_child() -> None:
    global _known  # noqa: PLW0603 - see _own
    _known = None  # the pid alone doesn't tell: the child may be in a namespace of its own


#: The pid of this process, and the process; None before anybody has asked.
_known: tuple[int, _Process | None] | None = None

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
