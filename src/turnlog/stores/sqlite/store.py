"""The contract on one SQLite database file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from operator import itemgetter
from typing import TypeVar

from turnlog.changes import Change, Committed, Key, check_changes, is_volatile
from turnlog.errors import StoreClosed
from turnlog.records import Column, Log, Records
from turnlog.store import END, Cursor, Head, Store, check, span
from turnlog.stores import clock
from turnlog.stores.options import check_patience, expanded
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
from turnlog.stores.sqlite.schema import State, is_ready, migrate, state_of
from turnlog.stores.sqlite.sharing import check_owner
from turnlog.stores.sqlite.statements import place
from turnlog.stores.sqlite.structure import Structure, known_structure, structure_of
from turnlog.stores.tables import Tables

__all__ = ["PATIENCE", "SQLiteStore"]

#: Seconds for which a lock is waited for, unless the store says otherwise.
PATIENCE = 30.0

T = TypeVar("T")


class SQLiteStore(Store):
    """Logs in an SQLite file; each commit is flushed to the disk.

    Making one costs microseconds and opens nothing. All stores of one process on
    one file share its connections, whatever their tables; other processes may use
    the file at the same time, also the OpenAI Agents SDK.

    path: the file, created when first used; "~/" in front is the home directory. For a database
        in memory use `MemoryStore`.
    tables: names of the two tables that are shared with the SDK.
    patience: for how many seconds a lock of another process is waited for.
    journal_mode: "wal"; "truncate" or "delete" where the file system has no shared memory,
        as over a network. docs/stores.md says what is promised then.
    shared: before the first write, `share_with_sdk` is done.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        tables: Tables = Tables(),  # noqa: B008 - frozen
        patience: float = PATIENCE,
        journal_mode: JournalMode = "wal",
        shared: bool = False,
    ) -> None:
        if os.fspath(path) in {"", ":memory:"}:
            raise ValueError(
                f"{path!r} is not the path of a file; MemoryStore() is a store in memory"
            )
        self.path = expanded(path).absolute()
        self.tables = tables
        self.patience = check_patience(patience)
        self.journal_mode = check_journal_mode(journal_mode)
        self.shared = shared
        self._engine: Engine | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

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
            statements = reads.of(log.name)
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
        return list(map(_head, sorted(rows, key=itemgetter(1))))

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

    async def share_with_sdk(self, session: str | None = None, *, create: bool = True) -> None:
        """Make the file one that the SDK's AdvancedSQLiteSession can use on the same tables.

        A file that this class has made is shared by itself, with our first commit.

        session: that class sees this conversation in full as soon as this returns; others after
            the next write, its or ours.
        create: make the tables of that class if they are missing.

        Raises `ValueError`, and makes nothing, if these tables belong to another pair of tables,
        or are missing and `create` is false.
        """
        if session is not None:
            check(session)
        engine = self._attached()
        await engine.read(lambda c: check_owner(c.connection, self.tables, create=create))
        if self.tables not in engine.prepared:
            await self._prepare(engine)
        await self._share(engine, session)

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
        if self.shared and (self.tables, "shared") not in engine.prepared:
            await self._share(engine)
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
                structure = known_structure(cursor, self.tables)
                rows = self._rows_in(State.CURRENT, structure, job, cursor)
                # Looked at afterwards: so the rows were read before anybody shared the file.
                if structure == structure_of(cursor, self.tables):
                    return rows
            except sqlite3.OperationalError as error:
                if not is_about_schema(error):
                    raise
                engine.prepared.discard(self.tables)
        # Checked again at each read, in one transaction: another process may migrate the file.
        with snapshot(cursor):
            state = state_of(cursor.connection, self.tables)
            if state is State.CURRENT and is_ready(cursor.connection, self.tables):
                engine.prepared.add(self.tables)
            return self._rows_in(state, structure_of(cursor, self.tables), job, cursor)

    def _rows_in(
        self,
        state: State,
        structure: Structure | None,
        job: Callable[[sqlite3.Cursor, Reads], Rows],
        cursor: sqlite3.Cursor,
    ) -> Rows:
        reads = reads_of(self.tables, state, structure)
        return job(cursor, reads) if reads else []

    async def _prepare(self, engine: Engine) -> None:
        """Bring the schema up to date, if it isn't."""
        # Read first: who may not write to the file learns of a newer schema too.
        if not await engine.read(lambda c: is_ready(c.connection, self.tables)):
            await engine.write(lambda c: migrate(c.connection, self.tables))
        engine.prepared.add(self.tables)

    async def _share(self, engine: Engine, session: str | None = None) -> None:
        await engine.write(lambda c: jobs.share(c, self.tables, session))
        engine.prepared.add((self.tables, "shared"))

    def _attached(self) -> Engine:
        if self._closed:
            raise StoreClosed(type(self).__name__)
        if self._engine is None or self._engine.retired:
            self._engine = registry.attach(self, self.path, self.patience, self.journal_mode)
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
