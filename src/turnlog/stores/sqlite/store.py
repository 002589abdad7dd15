"""The contract on one SQLite database file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from turnlog.errors import StoreClosed
from turnlog.records import Column, Log, Records
from turnlog.store import Cursor, Head, Store, check, prefix_end
from turnlog.stores.sqlite import clock, jobs, registry
from turnlog.stores.sqlite.clock import Clock
from turnlog.stores.sqlite.connections import JournalMode, check_journal_mode
from turnlog.stores.sqlite.engine import Engine
from turnlog.stores.sqlite.schema import State, Statements, migrate, state_of, statements_for
from turnlog.stores.tables import Tables

__all__ = ["SQLiteStore"]

P = ParamSpec("P")
T = TypeVar("T")

_END = 2**63 - 1  # the greatest position that SQLite can hold


class SQLiteStore(Store):
    """Logs in an SQLite file, each commit flushed to the disk.

    Making one costs microseconds and opens nothing. All stores of one process on
    one file share its connections, whatever their tables; other processes may use
    the file at the same time, also the OpenAI Agents SDK.

    path: the file, made when first used. Memory databases are `MemoryStore`'s.
    tables: names of the two tables that are shared with the SDK.
    timeout: how many seconds a lock of another process is waited for.
    journal_mode: "wal"; "truncate" or "delete" where the file system has no shared memory,
        as over a network. docs/stores.md tells what holds then.
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
            raise ValueError(f"{path!r} names no file")
        self.path = Path(path).absolute()
        self.tables = tables
        self.timeout = timeout
        self.journal_mode = check_journal_mode(journal_mode)
        self._engine: Engine | None = None
        self._closed = False

    @property
    def place(self) -> Hashable:
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
        return await self._write(jobs.append, log, payloads, expect, key)

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
        foreign = where.read if log.name == "main" else None
        span = (*at, *_span(after, before))
        if limit is None:
            return _records(await self._read(where.read, foreign, *span))
        newest = " DESC LIMIT ?"
        rows = await self._read(
            where.read + newest, foreign and foreign + newest, *span, min(limit, _END)
        )
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
        return await self._write(jobs.remove, log, _span(after, before), expect)

    async def annotate(self, log: Log, note: bytes) -> None:
        check(*log, payloads=[note])
        await self._write(jobs.annotate, log, note)

    async def logs(self, session: str) -> list[Head]:
        check(session)
        sql = statements_for(self.tables)
        return list(map(_head, await self._read(sql.heads, sql.foreign_heads, session)))

    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        check(prefix, limit=limit)
        # "~" comes after every time.
        place = ("~", "") if after is None else (clock.stamp(after.updated_at), after.session)
        sql = statements_for(self.tables)
        page = (prefix, prefix_end(prefix), *place, min(limit, _END))
        rows = await self._read(sql.sessions, sql.foreign_sessions, *page)
        return list(map(_head, rows))

    async def delete(self, session: str, name: str | None = None) -> None:
        check(session, name or "")
        await self._write(jobs.delete, session, name)

    async def aclose(self) -> None:
        """Let go of the file. The last store on it waits until it is closed."""
        engine = self.close()
        if engine is not None:
            await asyncio.to_thread(registry.detach, self, engine)

    def close(self) -> Engine | None:
        """Let go of the file without waiting. It is closed soon after its last store."""
        self._closed = True
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.detach(self)
        return engine

    async def _write(
        self,
        job: Callable[Concatenate[sqlite3.Cursor, Statements, Clock, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        engine = self._attached()
        if self.tables not in engine.prepared:
            await self._prepare(engine)
        sql = statements_for(self.tables)
        return await engine.write(
            lambda cursor: job(cursor, sql, engine.clock, *args, **kwargs),
            durable=not any(isinstance(arg, Log) and arg.is_volatile for arg in args),
        )

    async def _read(
        self, statement: str, foreign: str | None, *values: object
    ) -> list[tuple[Any, ...]]:
        """The rows that `statement` finds.

        foreign: what finds them on a file that is not ours yet, and which looking at it
            doesn't change; None if there can be none.
        """
        engine = self._attached()
        if self.tables in engine.prepared:
            return await engine.read(lambda cursor: cursor.execute(statement, values).fetchall())
        # Looked at again each time, in the same breath: somebody else may make it ours.
        state, rows = await engine.read(lambda cursor: self._look(cursor, foreign, values))
        if state in {State.OLD, State.CURRENT}:
            await self._prepare(engine, state)
            return await self._read(statement, foreign, *values)
        return rows

    def _look(
        self, cursor: sqlite3.Cursor, foreign: str | None, values: tuple[object, ...]
    ) -> tuple[State, list[tuple[Any, ...]]]:
        """What a file is that may not be ours yet, and if it isn't, what is found there."""
        state = state_of(cursor.connection, self.tables)
        if state in {State.OLD, State.CURRENT, State.EMPTY} or foreign is None:
            return state, []
        return state, cursor.execute(foreign, values).fetchall()

    async def _prepare(self, engine: Engine, state: State | None = None) -> None:
        """See to it that the schema is up to date."""
        # Looked at first: a file that can't be written can still be read.
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


def _span(after: int, before: int | None) -> tuple[int, int]:
    """Both bounds, where SQLite can hold them; positions begin at 1."""
    return min(max(after, 0), _END), _END if before is None else min(max(before, 0), _END)


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
