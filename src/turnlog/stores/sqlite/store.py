"""The contract on one SQLite database file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from turnlog.errors import StoreClosed
from turnlog.records import Column, Log, Records
from turnlog.store import END, Cursor, Head, Store, check, prefix_end, span
from turnlog.stores import clock
from turnlog.stores.sqlite import jobs, registry
from turnlog.stores.sqlite.connections import JournalMode, check_journal_mode
from turnlog.stores.sqlite.engine import Engine
from turnlog.stores.sqlite.schema import State, migrate, state_of
from turnlog.stores.sqlite.statements import Statements, statements_for
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
        return engine.path if engine else registry.identify(self.path), self.tables

    async def append(
        self,
        log: Log,
        payloads: Sequence[bytes],
        *,
        expect: int | None = None,
        key: str | None = None,
    ) -> int:
        check(*log, key or "", payloads=payloads)
        return await self._write(
            lambda cursor, sql: jobs.append(cursor, sql, log, payloads, expect, key),
            durable=not log.is_volatile,
        )

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
    ) -> Records:
        check(*log, limit=limit)
        where, at = statements_for(self.tables).place(log)
        values = (*at, *span(after, before))
        if limit is None:
            return _records(await self._read_log(log, where.read, *values))
        rows = await self._read_log(log, where.newest, *values, min(limit, END))
        rows.reverse()
        return _records(rows)

    async def remove(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        expect: int | None = None,
    ) -> int:
        check(*log)
        bounds = span(after, before)
        return await self._write(
            lambda cursor, sql: jobs.remove(cursor, sql, log, bounds, expect),
            durable=not log.is_volatile,
        )

    async def annotate(self, log: Log, note: bytes) -> None:
        check(*log, payloads=[note])
        await self._write(
            lambda cursor, sql: jobs.annotate(cursor, sql, log, note),
            durable=not log.is_volatile,
        )

    async def logs(self, session: str) -> list[Head]:
        check(session)
        sql = statements_for(self.tables)
        return list(map(_head, await self._read(sql.heads, sql.foreign_heads, session)))

    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        check(prefix, limit=limit)
        sql = statements_for(self.tables)
        page = (prefix, prefix_end(prefix), *_key(after), min(limit, END))
        rows = await self._read(sql.sessions, sql.foreign_sessions, *page)
        return list(map(_head, rows))

    async def delete(self, session: str, name: str | None = None) -> None:
        check(session, name or "")
        await self._write(lambda cursor, sql: jobs.delete(cursor, sql, session, name), durable=True)

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

    async def _write(self, job: Callable[[sqlite3.Cursor, Statements], T], *, durable: bool) -> T:
        engine = self._attached()
        if self.tables not in engine.prepared:
            await self._prepare(engine)
        sql = statements_for(self.tables)
        return await engine.write(lambda cursor: job(cursor, sql), durable=durable)

    async def _read_log(self, log: Log, statement: str, *values: object) -> list[tuple[Any, ...]]:
        # A file that only the SDK has written to has no other log than "main".
        return await self._read(statement, statement if log.name == "main" else None, *values)

    async def _read(
        self, statement: str, foreign: str | None, *values: object
    ) -> list[tuple[Any, ...]]:
        """The rows that `statement` finds.

        foreign: the statement for a file that only the SDK has written to, which reading
            doesn't change; None if such a file can't hold such rows.
        """
        engine = self._attached()
        if self.tables in engine.prepared:
            return await engine.read(lambda cursor: cursor.execute(statement, values).fetchall())
        # Checked again at each read, in the same job: another process may migrate it.
        state, rows = await engine.read(lambda cursor: self._look(cursor, foreign, values))
        if state in {State.OLD, State.CURRENT}:
            await self._prepare(engine, state)
            return await self._read(statement, foreign, *values)
        return rows

    def _look(
        self, cursor: sqlite3.Cursor, foreign: str | None, values: tuple[object, ...]
    ) -> tuple[State, list[tuple[Any, ...]]]:
        """The state of the file, and the rows found there if only the SDK has written to it."""
        state = state_of(cursor.connection, self.tables)
        if state in {State.OLD, State.CURRENT, State.EMPTY} or foreign is None:
            return state, []
        return state, cursor.execute(foreign, values).fetchall()

    async def _prepare(self, engine: Engine, state: State | None = None) -> None:
        """Bring the schema up to date, if it isn't."""
        # Read first: a file that can't be written can still be read.
        state = state or await engine.read(lambda c: state_of(c.connection, self.tables))
        if state is not State.CURRENT:
            await engine.write(lambda c: migrate(c.connection, self.tables))
        engine.prepared.add(self.tables)

    def _attached(self) -> Engine:
        if self._closed:
            raise StoreClosed(type(self).__name__)
        if self._engine is None or self._engine.retired:
            self._engine = registry.attach(self, self.path, self.timeout, self.journal_mode)
        return self._engine


def _key(cursor: Cursor | None) -> tuple[str, str]:
    """The time and the session id of `cursor`, as they are stored."""
    if cursor is None:
        return "~", ""  # "~" comes after every time
    return clock.as_text(clock.micros(cursor.updated_at)), cursor.session


def _records(rows: list[tuple[int, bytes, bytes]]) -> Records:
    return Records(
        [row[0] for row in rows],
        [row[1] for row in rows],
        Column([row[2] for row in rows], clock.seconds),
    )


def _head(row: tuple[bytes, bytes, int, int, bytes, bytes, bytes]) -> Head:
    session, name, last, length, created, updated, note = row
    log = Log(session.decode(errors="replace"), name.decode(errors="replace"))
    return Head(log, last, length, clock.seconds(created), clock.seconds(updated), note)
