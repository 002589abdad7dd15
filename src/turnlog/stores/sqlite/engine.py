"""One engine per database file and process: a writer thread and a few readers.

The writer commits whatever is queued as one transaction, so that many callers
share one flush to the disk. A caller hears of its write only after the commit.

    callers ── orders ──▶ queue ──▶ writer thread:  BEGIN · jobs · COMMIT · answers
    callers ── queries ─▶ queue ──▶ reader threads: job · answer
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from turnlog.errors import Conflict, FileReplaced, StoreClosed
from turnlog.stores.sqlite.clock import Clock
from turnlog.stores.sqlite.connections import (
    Connection,
    JournalMode,
    fold_in,
    is_busy,
    open_reader,
    open_writer,
    patiently,
    unflushed,
)
from turnlog.stores.sqlite.files import FileId, file_id, wal_of
from turnlog.stores.sqlite.orders import Answer, Job, Order, Outcome, deliver
from turnlog.stores.sqlite.worker import Worker

__all__ = ["Engine"]

T = TypeVar("T")

# Each reader costs two descriptors; more of them would only wait for the interpreter.
_READERS = 3
# Bounds how long the first order of a transaction waits for the statements of the last.
_TOGETHER = 1024
# Sessions are often made and closed per request. Without users, an engine stays open
# this many seconds, so that the next request finds it warm.
_LINGER = 1.0


class Engine:
    """All of one process's traffic with one database file.

    timeout: how many seconds a lock of another process is waited for.
    journal_mode: how a commit is made atomic.
    retire: called by the writer thread when the engine has had no users for a while;
        it calls `close_door` unless somebody has come.
    """

    def __init__(
        self,
        path: Path,
        timeout: float,
        journal_mode: JournalMode,
        retire: Callable[[Engine], None],
    ) -> None:
        self.path = path
        self.journal_mode = journal_mode
        #: The file that the connections are on; None before the first is open.
        self.file: FileId | None = None
        self.clock = Clock()
        #: Table names whose schema is known to be up to date.
        self.prepared: set[object] = set()
        #: Set once this engine takes no more work.
        self.retired = False
        self._timeout = timeout
        self._retire = retire
        self._wal_path = wal_of(path)
        self._users: set[weakref.ref[object]] = set()
        self._lingering = False  # whether the writer will look for users by itself
        self._door = threading.Lock()
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._queries: SimpleQueue[Order | None] = SimpleQueue()
        self._readers: list[Worker] = []
        self._writer = self._hire(
            "writer", partial(open_writer, journal_mode=journal_mode), self._write
        )

    # Users

    @property
    def in_use(self) -> bool:
        """Whether anybody is attached."""
        return bool(self._users)

    def attach(self, user: object) -> None:
        """Keep the engine open until `user` is detached or garbage."""
        self._users.add(weakref.ref(user, self._forget))

    def detach(self, user: object) -> None:
        """Let `user` go; what it ordered is still done."""
        self._forget(weakref.ref(user))

    def _forget(self, user: weakref.ref[object]) -> None:
        # The garbage collector may call this at any point of any thread, so it takes
        # no lock: discarding from a set and putting into a SimpleQueue are safe there.
        self._users.discard(user)
        if not self._users and not self._lingering:
            self._orders.put(None)

    # Work

    async def write(self, job: Job[T], *, durable: bool = True) -> T:
        """Run `job` in a transaction and wait for its commit, even when cancelled.

        durable: False doesn't wait for the disk; only when the machine stops can it be lost.
        """
        loop = asyncio.get_running_loop()
        outcome: Outcome[T] = Outcome(loop=loop)
        with self._door:
            self._admit()
            self._orders.put(Order(job, loop, outcome, durable))
        return await outcome

    async def read(self, job: Job[T]) -> T:
        """Run `job` on what is committed by now."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._door:
            self._admit()
            # One reader is enough until a query has to wait.
            if not self._readers or (len(self._readers) < _READERS and not self._queries.empty()):
                self._readers.append(self._hire("reader", open_reader, self._read))
            self._queries.put(Order(job, loop, future))
        return await future

    def _admit(self) -> None:
        if self.retired:
            raise StoreClosed(f"the database {self.path.name}")

    def _hire(
        self,
        role: str,
        connect: Callable[[Path, float], sqlite3.Connection],
        serve: Callable[[Worker], bool],
    ) -> Worker:
        return Worker(f"turnlog-{role} {self.path.name}", partial(self._open, connect), serve)

    def _open(self, connect: Callable[[Path, float], sqlite3.Connection]) -> sqlite3.Connection:
        self._check_file()
        db = connect(self.path, self._timeout)
        self.file = self.file or file_id(self.path)
        return db

    # A file that was moved, deleted or replaced

    @property
    def lost_its_file(self) -> bool:
        """Whether the path names another file than the one that is open, or none."""
        return self.file is not None and self.file != file_id(self.path)

    def begin_anew(self) -> None:
        """Close what is open, and open what the path names when it is next needed."""
        with self.at_rest():
            self.file = None
            self.prepared.clear()

    def _fold_in(self) -> None:
        """If the files were moved, write what was acknowledged into the one that is open."""
        connections = (worker.connection for worker in (self._writer, *self._readers))
        db = next((db for db in connections if isinstance(db, Connection) and db.wal), None)
        # A log that another process has begun since can't be folded in beside ours.
        if db and (self.lost_its_file or file_id(self._wal_path) is None):
            # If it fails, the log stays, and whoever finds it has all that was acknowledged.
            with suppress(sqlite3.Error, OSError):
                fold_in(db, self.path)

    def _check_file(self) -> None:
        if self.file is not None and self.file != file_id(self.path):
            raise FileReplaced(str(self.path), is_unwritten=True)

    def _check_wal(self, connection: sqlite3.Connection, *, is_unwritten: bool) -> None:
        wal: FileId | None = getattr(connection, "wal", None)
        if wal is not None and wal != file_id(self._wal_path):
            raise FileReplaced(str(self.path), is_unwritten)

    # The end

    def close_door(self) -> None:
        """Take no more work. What is queued is done, then the threads end."""
        with self._door:
            self.retired = True
        self._orders.put(None)

    def join(self, timeout: float | None = None) -> None:
        """Wait until the threads have ended, after `close_door`."""
        for worker in (self._writer, *self._readers):
            worker.thread.join(timeout)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nothing is under way and no connection is open, until the block ends."""
        with ExitStack() as stack:
            stack.enter_context(self._door)
            workers = (self._writer, *self._readers)
            for worker in workers:
                stack.enter_context(worker.gate)
            self._fold_in()
            for worker in workers:
                worker.let_go()
            yield

    # Inside the reader threads

    def _read(self, worker: Worker) -> bool:
        query = self._queries.get()
        if query is None:
            return False
        with worker.gate:
            answer = self._answer(worker, query)
        self._begin_anew_after([answer])
        deliver([answer])
        return True

    def _begin_anew_after(self, answers: list[Answer]) -> None:
        # Before they are delivered, so that the next call finds what the path names.
        if any(isinstance(answer.error, FileReplaced) for answer in answers):
            self.begin_anew()

    def _answer(self, worker: Worker, query: Order) -> Answer:
        try:
            result = query.job(worker.cursor())
            self._check_file()
            return Answer(query, result)
        except Exception as error:  # noqa: BLE001 - it goes to who asked
            told = self._placed(error)
            if not isinstance(told, FileReplaced):
                worker.let_go()
            return Answer(query, error=told)

    # Inside the writer thread

    def _write(self, worker: Worker) -> bool:
        orders = self._next_orders()
        if not orders:
            for _ in self._readers:
                self._queries.put(None)
            with worker.gate:
                self._fold_in()
            return False
        with worker.gate:
            answers = self._commit(worker, orders)
        self._begin_anew_after(answers)
        deliver(answers)
        return True

    def _next_orders(self) -> list[Order]:
        """All that is queued, after waiting for the first; nothing once retired."""
        while True:
            try:
                order = self._orders.get(timeout=self._patience())
            except Empty:
                if self.retired:
                    return []
                self._lingering = False  # first, so that who leaves from now on says so
                self._retire(self)
                continue
            if order is not None:
                return [order, *self._queued()]
            self._lingering = True

    def _patience(self) -> float | None:
        if self.retired:
            return 0
        return _LINGER if self._lingering else None

    def _queued(self) -> Iterator[Order]:
        for _ in range(_TOGETHER):
            if self._orders.empty():
                return
            order = self._orders.get()
            if order is None:
                self._orders.put(None)  # to be seen after this transaction
                return
            yield order

    def _commit(self, worker: Worker, orders: list[Order]) -> list[Answer]:
        """Commit all orders together. If that fails, each alone: one may be to blame."""
        try:
            return patiently(lambda: self._transact(worker.cursor(), orders), self._timeout)
        except Exception as error:  # noqa: BLE001 - it goes to who ordered
            told = self._placed(error)
            if isinstance(told, FileReplaced):
                return [Answer(order, error=told) for order in orders]
            worker.let_go()
            self.prepared.clear()  # another process may have changed the schema
            if len(orders) == 1 or is_busy(error):
                return [Answer(order, error=told) for order in orders]
        return [answer for order in orders for answer in self._commit(worker, [order])]

    def _transact(self, cursor: sqlite3.Cursor, orders: list[Order]) -> list[Answer]:
        if any(order.durable for order in orders):
            return self._committed(cursor, orders)
        with unflushed(cursor):
            return self._committed(cursor, orders)

    def _committed(self, cursor: sqlite3.Cursor, orders: list[Order]) -> list[Answer]:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            answers = [_carry_out(order, cursor) for order in orders]
            # Other processes may be on a new log already, whose index would count ours.
            self._check_wal(cursor.connection, is_unwritten=True)
            cursor.execute("COMMIT")
        except BaseException:
            if cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        self._check_file()
        self._check_wal(cursor.connection, is_unwritten=False)
        return answers

    def _placed(self, error: Exception) -> Exception:
        """The error, saying which file it is about; SQLite's own text doesn't."""
        if isinstance(error, sqlite3.Error):
            if self.lost_its_file:
                return FileReplaced(str(self.path), is_unwritten=False)
            error.add_note(f"database file: {self.path}")
        return error


def _carry_out(order: Order, cursor: sqlite3.Cursor) -> Answer:
    try:
        return Answer(order, order.job(cursor))
    except Conflict as conflict:
        return Answer(order, error=conflict)
