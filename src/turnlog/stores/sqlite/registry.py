"""Registry of engines: one per file and process, found by resolved path or inode.

Forking: a child must not touch connections that were open in its parent, not even to close
them. So before a fork every engine finishes its work and closes its connections; afterwards
the parent's engines open new ones, and the child starts without any.
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from pathlib import Path

from turnlog.loops.exit import at_exit
from turnlog.stores.sqlite.connections import JournalMode
from turnlog.stores.sqlite.engine import Engine
from turnlog.stores.sqlite.files import file_id

__all__ = ["attach", "detach", "identify"]

# Seconds for each engine at exit: another process's lock must not keep this one from ending.
_EXIT_TIMEOUT = 5.0


def attach(user: object, path: Path, timeout: float, journal_mode: JournalMode) -> Engine:
    """The engine for `path`, kept open until `user` is detached or garbage."""
    key = Path(os.path.realpath(path)), timeout
    with _lock:
        engine = _engines.get(key) or _by_another_name(*key)
        if engine is None:
            engine = _engines[key] = Engine(*key, journal_mode, _retire)
        elif engine.journal_mode != journal_mode:
            raise ValueError(
                f"this process has the file open with journal_mode={engine.journal_mode!r}: "
                "close the sessions on it first, or use the same journal_mode"
            )
        elif engine.file.is_lost:
            engine.reopen()
        engine.users.add(user)
        return engine


def identify(path: Path) -> Path:
    """One path for a file with several names: equal for two paths that name one file.

    Hard links are recognised while the file is open here.
    """
    file = file_id(path)
    with _lock:
        names = (engine.path for engine in _engines.values() if file and engine.file.id == file)
        return next(names, None) or Path(os.path.realpath(path))


def _by_another_name(path: Path, timeout: float) -> Engine | None:
    """The engine on a file of which `path` is another hard link.

    There must not be a second engine, even with another timeout: SQLite names the WAL after
    the path.
    """
    file = file_id(path)
    linked = (
        engine
        for (name, patience), engine in _engines.items()
        if file and engine.file.id == file and (patience == timeout or name != path)
    )
    return next(linked, None)


def detach(user: object, engine: Engine) -> None:
    """Remove `user`. The last one closes the file and returns when that is done."""
    engine.users.remove(user)
    _retire(engine)
    if engine.retired:
        engine.join()


def _retire(engine: Engine) -> None:
    with _lock:
        if not engine.users:
            _remove(engine)


def _remove(engine: Engine) -> None:
    engine.stop()
    for key in [key for key, other in _engines.items() if other is engine]:
        del _engines[key]


def _close_all() -> None:
    with _lock:
        engines = list(_engines.values())
        for engine in engines:
            _remove(engine)
    for engine in engines:
        engine.join(_EXIT_TIMEOUT)


def _before_fork() -> None:
    _lock.acquire()
    for engine in _engines.values():
        _at_rest.enter_context(engine.at_rest())


def _after_fork_in_parent() -> None:
    _at_rest.close()
    _lock.release()


def _after_fork_in_child() -> None:
    global _lock, _at_rest  # noqa: PLW0603 - both belong to threads that are not here
    for engine in _engines.values():
        engine.retired = True
    _engines.clear()
    _lock = threading.Lock()
    _at_rest = ExitStack()


_engines: dict[tuple[Path, float], Engine] = {}
_lock = threading.Lock()
_at_rest = ExitStack()

at_exit(_close_all, "stores")
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
