"""Transactions: a batch of requests is committed together, or each alone if that fails."""

from __future__ import annotations

import sqlite3

from turnlog.errors import Conflict, FileReplaced
from turnlog.stores.retrying import retry_blocking
from turnlog.stores.sqlite.connections import is_busy, lock_delays, unflushed
from turnlog.stores.sqlite.files import OpenFile
from turnlog.stores.sqlite.requests import Answer, Request
from turnlog.stores.sqlite.structure import forget_structure
from turnlog.stores.sqlite.worker import Worker

__all__ = ["Transactions"]


class Transactions:
    """Commits requests to one file.

    timeout: how many seconds a lock of another process is waited for.
    prepared: tables whose schema is known to be up to date; emptied when that may have changed.
    """

    def __init__(self, file: OpenFile, timeout: float, prepared: set[object]) -> None:
        self._file = file
        self._timeout = timeout
        self._prepared = prepared

    def commit(self, worker: Worker, requests: list[Request]) -> list[Answer]:
        """Commit all requests together. If that fails, each alone: one may have caused it."""
        try:
            return retry_blocking(
                lambda: self._transact(worker.cursor(), requests),
                lock_delays(self._timeout),
                is_busy,
            )
        except Exception as error:  # noqa: BLE001 - it is the answer to the requests
            explained = self._file.explain(error)
            if isinstance(explained, FileReplaced):
                return [Answer(request, error=explained) for request in requests]
            worker.disconnect()
            self._prepared.clear()  # another process may have changed the schema
            if len(requests) == 1 or is_busy(error):
                return [Answer(request, error=explained) for request in requests]
        return [answer for request in requests for answer in self.commit(worker, [request])]

    def _transact(self, cursor: sqlite3.Cursor, requests: list[Request]) -> list[Answer]:
        if any(request.durable for request in requests):
            return self._committed(cursor, requests)
        with unflushed(cursor):
            return self._committed(cursor, requests)

    def _committed(self, cursor: sqlite3.Cursor, requests: list[Request]) -> list[Answer]:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            answers = [_carry_out(request, cursor) for request in requests]
            # Other processes may be on a new WAL already, whose index would count our pages.
            self._file.check_wal(cursor.connection, is_unwritten=True)
            cursor.execute("COMMIT")
        except BaseException:
            if cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")
            forget_structure(cursor)
            raise
        self._file.check()
        self._file.check_wal(cursor.connection, is_unwritten=False)
        return answers


def _carry_out(request: Request, cursor: sqlite3.Cursor) -> Answer:
    try:
        return Answer(request, request.job(cursor))
    except Conflict as conflict:
        return Answer(request, error=conflict)
