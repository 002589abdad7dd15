"""Engine: one per database file and process, with a writer thread and a few reader threads.

The writer commits whatever is queued as one transaction, so that many callers share one
flush to the disk. A caller gets its answer only after the commit.

    callers ── requests ──▶ queue ──▶ writer thread:  BEGIN · jobs · COMMIT · answers
    callers ── queries ─▶ queue ──▶ reader threads: job · answer
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from turnlog.errors import FileReplaced, StoreClosed
from turnlog.stores.sqlite.connections import (
    Connection,
    JournalMode,
    checkpoint,
    open_reader,
    open_writer,
)
from turnlog.stores.sqlite.files import OpenFile
from turnlog.stores.sqlite.requests import Answer, Batches, Job, Outcome, Request, deliver
from turnlog.stores.sqlite.transactions import Transactions
from turnlog.stores.sqlite.users import Users
from turnlog.stores.sqlite.worker import Worker

__all__ = ["Engine"]

T = TypeVar("T")

# Each reader costs two descriptors; more of them would only wait for the interpreter.
_READERS = 3
# Sessions are often made and closed per request. Without users, an engine stays open
# this many seconds, so that the next request finds it warm.
_LINGER = 1.0


class Engine:
    """All traffic of this process with one database file.

    timeout: how many seconds a lock of another process is waited for.
    journal_mode: how a commit is made atomic.
    retire: called by the writer thread when the engine has had no users for a while;
        it calls `stop` unless there is a user again.
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
        self.file = OpenFile(path)
        #: Table names whose schema is known to be up to date.
        self.prepared: set[object] = set()
        #: Set once this engine takes no more work.
        self.retired = False
        self._timeout = timeout
        # Held while work is accepted, so that none is accepted after `stop`.
        self._lock = threading.Lock()
        self._requests = Batches(partial(retire, self), _LINGER)
        self._queries: SimpleQueue[Request | None] = SimpleQueue()
        self.users = Users(self._requests.wake)
        self._transactions = Transactions(self.file, timeout, self.prepared)
        self._readers: list[Worker] = []
        self._writer = self._start_worker(
            "writer", partial(open_writer, journal_mode=journal_mode), self._write
        )

    async def write(self, job: Job[T], *, durable: bool = True) -> T:
        """Run `job` in a transaction and wait for its commit, even when cancelled.

        durable: False doesn't wait for the disk; only when the machine stops can it be lost.
        """
        loop = asyncio.get_running_loop()
        outcome: Outcome[T] = Outcome(loop=loop)
        with self._lock:
            self._check_open()
            self._requests.put(Request(job, loop, outcome, durable))
        return await outcome

    async def read(self, job: Job[T]) -> T:
        """Run `job` on what is committed by now."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            self._check_open()
            # One reader is enough until a query has to wait.
            if not self._readers or (len(self._readers) < _READERS and not self._queries.empty()):
                self._readers.append(self._start_worker("reader", open_reader, self._read))
            self._queries.put(Request(job, loop, future))
        return await future

    def stop(self) -> None:
        """Accept no more work. What is queued is done, then the threads end."""
        with self._lock:
            self.retired = True
        self._requests.end()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the threads have ended, after `stop`."""
        for worker in (self._writer, *self._readers):
            worker.thread.join(timeout)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Within the block, no work is in progress and no connection is open."""
        with self._lock, self._held() as workers:
            self._checkpoint()
            for worker in workers:
                worker.disconnect()
            yield

    @contextmanager
    def _held(self) -> Iterator[tuple[Worker, ...]]:
        """All workers; within the block, none of them uses its connection."""
        workers = (self._writer, *self._readers)
        with ExitStack() as stack:
            for worker in workers:
                stack.enter_context(worker.lock)
            yield workers

    def reopen(self) -> None:
        """Close what is open, and open what the path names when it is next needed."""
        with self.at_rest():
            self.file.id = None
            self.prepared.clear()

    def _check_open(self) -> None:
        if self.retired:
            raise StoreClosed(f"the database {self.path.name}")

    def _start_worker(
        self,
        role: str,
        connect: Callable[[Path, float], sqlite3.Connection],
        serve: Callable[[Worker], bool],
    ) -> Worker:
        return Worker(f"turnlog-{role} {self.path.name}", partial(self._open, connect), serve)

    def _open(self, connect: Callable[[Path, float], sqlite3.Connection]) -> sqlite3.Connection:
        self.file.check()
        db = connect(self.path, self._timeout)
        self.file.opened()
        return db

    def _checkpoint(self) -> None:
        """If the files were moved, write what was acknowledged into the file that is open."""
        connections = (worker.connection for worker in (self._writer, *self._readers))
        db = next((db for db in connections if isinstance(db, Connection) and db.wal), None)
        # If another process has begun a WAL since, ours can't be written into the file.
        if db and (self.file.is_lost or not self.file.has_wal):
            # If it fails, the WAL stays, and any process that finds it has all that was
            # acknowledged.
            with suppress(sqlite3.Error, OSError):
                checkpoint(db, self.path)

    # Runs on the reader threads

    def _read(self, worker: Worker) -> bool:
        query = self._queries.get()
        if query is None:
            return False
        with worker.lock:
            answer = self._answer(worker, query)
        self._deliver([answer])
        return True

    def _answer(self, worker: Worker, query: Request) -> Answer:
        try:
            result = query.job(worker.cursor())
            self.file.check()
            return Answer(query, result)
        except Exception as error:  # noqa: BLE001 - it is the answer to the query
            explained = self.file.explain(error)
            if not isinstance(explained, FileReplaced):
                worker.disconnect()
            return Answer(query, error=explained)

    # Runs on the writer thread

    def _write(self, worker: Worker) -> bool:
        requests = self._requests.take()
        if not requests:
            with self._held():  # the checkpoint may use a reader's connection
                self._checkpoint()
            for _ in self._readers:
                self._queries.put(None)
            return False
        with worker.lock:
            answers = self._transactions.commit(worker, requests)
        self._deliver(answers)
        return True

    def _deliver(self, answers: list[Answer]) -> None:
        # Reopened before they are delivered, so that the next call finds what the path names.
        if any(isinstance(answer.error, FileReplaced) for answer in answers):
            self.reopen()
        deliver(answers)
