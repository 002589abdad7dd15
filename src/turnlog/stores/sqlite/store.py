"""The contract on one SQLite database file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from turnlog.changes import Change, Committed, Key, check_changes, is_volatile
from turnlog.errors import StoreClosed
from turnlog.records import Column, Log, Records
from turnlog.store import END, Cursor, Head, Store, check, span
from turnlog.stores import clock
from turnlog.stores.sqlite import jobs, registry
from turnlog.stores.sqlite.connections import (
    JournalMode,
    check_journal_mode,
    is_about_schema,
    snapshot,
)
from turnlog.stores.sqlite.engine import Engine
from turnlog.stores.sqlite.reads import Page, Reads, Rows, reads_of
from turnlog.stores.sqlite.requests import Job
from turnlog.stores.sqlite.schema import State, migrate, state_of
from turnlog.stores.sqlite.statements import place
from turnlog.stores.tables import Tables

__all__ = ["SQLiteStore"]

T = TypeVar("T")


class SQLiteStore(Store):
    """Logs in an SQLite file; each commit is flushed to the disk.

    Making one costs microseconds and opens nothing. All stores of one process on
    one file share its connections, whatever their tables; other processes may use
    the file at the same time, also the OpenAI Agents SDK.

    path: the file, created when first used. For a database in memory use `MemoryStore`.
    tables: names of the two tables that are shared with the SDK.
    timeout: how many seconds a lock of another process is waited for.
    journal_mode: "wal"; "truncate" or "delete" where the file system has no shared memory,
        as over a network. docs/stores.md says what is promised then.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        tables: Tables = Tables(),  # noqa: B008 - frozen
        timeout: float = 30.0,
        journal_mode: JournalMode = "wal",
    ) -> None:
        if os.fspath(path) in {"", ":memory:"}:
            raise ValueError(
                f"{path!r} is not the path of a file; MemoryStore() is a store in memory"
            )
        self.path = Path(path).absolute()
        self.tables = tables
        self.timeout = timeout
        self.journal_mode = check_journal_mode(journal_mode)
        self._engine: Engine | None = None
        self._closed = False

    @property
    def identity(self) -> Hashable:
        """The file and the tables."""
        engine = self._engine
        path = engine.path if engine else registry.identify(self.path)
        return path, *self.tables.folded

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        return await self._write(
            lambda cursor: jobs.commit(cursor, self.tables, session, changes, key),
            durable=not is_volatile(changes),
        )

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        oldest: bool = False,
    ) -> Records:
        check(*log, limit=limit)
        is_reversed = not (limit is None or oldest)
        bounds = (*span(after, before), -1 if limit is None else min(limit, END))

        def job(cursor: sqlite3.Cursor, reads: Reads) -> Rows:
            statements = reads.main if log.name == "main" else reads.other
            values = (*place(*log), *bounds)
            return cursor.execute(statements[is_reversed], values).fetchall() if statements else []

        rows = await self._read(job)
        if is_reversed:
            rows.reverse()
        return _records(rows)

    async def logs(self, session: str) -> list[Head]:
        check(session)
        rows = await self._read(
            lambda cursor, reads: cursor.execute(reads.heads, (session,)).fetchall()
        )
        return list(map(_head, rows))

    async def sessions(
        self,
        *,
        prefix: str = "",
        after: Cursor | None = None,
        limit: int = 50,
        oldest: bool = False,
    ) -> list[Head]:
        check(prefix, limit=limit)
        page = Page(prefix, after, limit, oldest)
        rows = await self._read(lambda cursor, reads: reads.sessions(cursor, page))
        return list(map(_head, rows))

    async def delete(self, session: str, *, expect: int | None = None) -> None:
        check(session)
        await self._write(
            lambda cursor: jobs.delete(cursor, self.tables, session, expect), durable=True
        )

    async def aclose(self) -> None:
        """Close the store. The last store on a file waits until the file is closed."""
        engine = self.close()
        if engine is not None:
            await asyncio.to_thread(registry.detach, self, engine)

    def close(self) -> Engine | None:
        """Close the store without waiting. The file is closed soon after its last store."""
        self._closed = True
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.users.remove(self)
        return engine

    async def _write(self, job: Job[T], *, durable: bool) -> T:
        engine = self._attached()
        if self.tables not in engine.prepared:
            await self._prepare(engine)
        try:
            return await engine.write(job, durable=durable)
        except sqlite3.OperationalError as error:
            if is_about_schema(error):
                await self._prepare(engine)  # says so if another process has a newer schema
            raise

    async def _read(self, job: Callable[[sqlite3.Cursor, Reads], Rows]) -> Rows:
        """The rows that `job` finds; none in a file without our tables."""
        engine = self._attached()
        return await engine.read(partial(self._rows, engine, job))

    def _rows(
        self,
        engine: Engine,
        job: Callable[[sqlite3.Cursor, Reads], Rows],
        cursor: sqlite3.Cursor,
    ) -> Rows:
        if self.tables in engine.prepared:
            try:
                return job(cursor, reads_of(self.tables)[State.CURRENT])
            except sqlite3.OperationalError as error:
                if not is_about_schema(error):
                    raise
                engine.prepared.discard(self.tables)
        # Checked again at each read, in one transaction: another process may migrate the file.
        with snapshot(cursor):
            state = state_of(cursor.connection, self.tables)
            if state is State.CURRENT:
                engine.prepared.add(self.tables)
            reads = reads_of(self.tables).get(state)
            return job(cursor, reads) if reads else []

    async def _prepare(self, engine: Engine) -> None:
        """Bring the schema up to date, if it isn't."""
        # Read first: who may not write to the file learns of a newer schema too.
        state = await engine.read(lambda c: state_of(c.connection, self.tables))
        if state is not State.CURRENT:
            await engine.write(lambda c: migrate(c.connection, self.tables))
        engine.prepared.add(self.tables)

    def _attached(self) -> Engine:
        if self._closed:
            raise StoreClosed(type(self).__name__)
        if self._engine is None or self._engine.retired:
            self._engine = registry.attach(self, self.path, self.timeout, self.journal_mode)
        return self._engine


def _records(rows: list[tuple[int, bytes, bytes]]) -> Records:
    return Records(
        [row[0] for row in rows],
        [row[1] for row in rows],
        Column([row[2] for row in rows], clock.seconds),
    )


def _head(row: tuple[bytes, bytes, int, int, bytes, bytes, bytes | None]) -> Head:
    session, name, last, length, created, updated, note = row
    log = Log(session.decode(errors="replace"), name.decode(errors="replace"))
    return Head(log, last, length, clock.seconds(created), clock.seconds(updated), note or b"")
