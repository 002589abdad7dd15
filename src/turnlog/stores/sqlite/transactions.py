"""Transactions: a batch of orders is committed together, or each alone if that fails."""

from __future__ import annotations

import sqlite3

from turnlog.errors import Conflict, FileReplaced
from turnlog.stores.retrying import retry_blocking
from turnlog.stores.sqlite.connections import is_busy, lock_delays, unflushed
from turnlog.stores.sqlite.files import OpenFile
from turnlog.stores.sqlite.orders import Answer, Order
from turnlog.stores.sqlite.worker import Worker

__all__ = ["Transactions"]


class Transactions:
    """Commits orders to one file.

    timeout: how many seconds a lock of another process is waited for.
    prepared: tables whose schema is known to be up to date; emptied when that may have changed.
    """

    def __init__(self, file: OpenFile, timeout: float, prepared: set[object]) -> None:
        self._file = file
        self._timeout = timeout
        self._prepared = prepared

    def commit(self, worker: Worker, orders: list[Order]) -> list[Answer]:
        """Commit all orders together. If that fails, each alone: one may have caused it."""
        try:
            return retry_blocking(
                lambda: self._transact(worker.cursor(), orders),
                lock_delays(self._timeout),
                is_busy,
            )
        except Exception as error:  # noqa: BLE001 - it is the answer to the orders
            explained = self._file.explain(error)
            if isinstance(explained, FileReplaced):
                return [Answer(order, error=explained) for order in orders]
            worker.let_go()
            self._prepared.clear()  # another process may have changed the schema
            if len(orders) == 1 or is_busy(error):
                return [Answer(order, error=explained) for order in orders]
        return [answer for order in orders for answer in self.commit(worker, [order])]

    def _transact(self, cursor: sqlite3.Cursor, orders: list[Order]) -> list[Answer]:
        if any(order.durable for order in orders):
            return self._committed(cursor, orders)
        with unflushed(cursor):
            return self._committed(cursor, orders)

    def _committed(self, cursor: sqlite3.Cursor, orders: list[Order]) -> list[Answer]:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            answers = [_carry_out(order, cursor) for order in orders]
            # Other processes may be on a new log already, whose index would count our pages.
            self._file.check_log(cursor.connection, is_unwritten=True)
            cursor.execute("COMMIT")
        except BaseException:
            if cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        self._file.check()
        self._file.check_log(cursor.connection, is_unwritten=False)
        return answers


def _carry_out(order: Order, cursor: sqlite3.Cursor) -> Answer:
    try:
        return Answer(order, order.job(cursor))
    except Conflict as conflict:
        return Answer(order, error=conflict)
