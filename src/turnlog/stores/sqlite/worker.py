"""Worker threads, each with a connection of its own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Worker"]


class Worker:
    """A thread with a connection, which it opens when first needed.

    open: makes the connection.
    serve: does one piece of work; called until it returns False.

    Hold `lock` while you use the connection. Another thread that holds it may close the
    connection; the worker opens another when it next needs one.
    """

    def __init__(
        self,
        name: str,
        open: Callable[[], sqlite3.Connection],  # noqa: A002 - it opens
        serve: Callable[[Worker], bool],
    ) -> None:
        self.lock = threading.Lock()
        self._open = open
        self._serve = serve
        self._cursor: sqlite3.Cursor | None = None
        # A daemon: a session that nobody closes must not keep the process from ending.
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def cursor(self) -> sqlite3.Cursor:
        """The one cursor on the connection, opened if need be."""
        if self._cursor is None:
            self._cursor = self._open().cursor()
        return self._cursor

    @property
    def connection(self) -> sqlite3.Connection | None:
        """The connection, if one is open."""
        return self._cursor.connection if self._cursor is not None else None

    def disconnect(self) -> None:
        """Close the connection, if one is open."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            # An error at closing, such as a full disk at the last checkpoint, loses nothing:
            # the WAL stays and is read again.
            with suppress(sqlite3.Error):
                cursor.connection.close()

    def _run(self) -> None:
        while self._serve(self):
            pass
        with self.lock:
            self.disconnect()
