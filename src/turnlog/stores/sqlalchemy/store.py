"""SQLAlchemy store: the contract on PostgreSQL, MySQL, MariaDB and SQLite."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Self, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from turnlog.changes import Change, Committed, Forget, Key, check_changes
from turnlog.errors import Conflict
from turnlog.loops.door import Door
from turnlog.loops.finishing import finished, heeded_cancellation
from turnlog.records import Log, Records
from turnlog.store import Cursor, Head, Store, check, span
from turnlog.stores.options import check_patience
from turnlog.stores.outages import outages_named
from turnlog.stores.sqlalchemy.backends import check_backend, dialect_of, name_of, schema_of
from turnlog.stores.sqlalchemy.commits import Commit
from turnlog.stores.sqlalchemy.dialect import Dialect
from turnlog.stores.sqlalchemy.engines import Engines, engines_at, engines_of
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.privacy import without_values
from turnlog.stores.sqlalchemy.retrying import (
    PATIENCE,
    Again,
    OutOfReach,
    is_denied,
    is_missing,
    retried,
)
from turnlog.stores.sqlalchemy.urls import read_url
from turnlog.stores.sqlalchemy.work import looking, stating, writing
from turnlog.stores.tables import Tables

__all__ = ["PATIENCE", "SQLAlchemyStore"]

T = TypeVar("T")
Job: TypeAlias = Callable[[Dialect, Connection], T]


class SQLAlchemyStore(Store):
    """Logs in PostgreSQL, MySQL, MariaDB or SQLite.

    engine: an `AsyncEngine`, or an ordinary `Engine`, whose work is then done on threads.
        It stays yours and is never disposed here.
    tables: names of the two tables that are shared with the OpenAI Agents SDK.
    create_tables: makes the two shared tables at the first write. Without it they have to
        exist. Our own beside them are made in any case. Once all exist, no right to make
        tables is needed, and for reading no right to write. Raises `SchemaError` for tables
        that are missing and can't be made.

    patience: for how many seconds work that failed is tried again.

    A commit is one statement on PostgreSQL and a short transaction elsewhere. Tried again are work
    that the database undid (a deadlock, a serialization failure), work that was never sent because
    there was no connection, and after a lost connection everything that can't happen twice: reads,
    transactions that were not committed yet, commits with a key, and those whose condition shows
    that they have not happened. A server that stays out of reach raises `StoreUnreachable`;
    other errors are raised unchanged.
    """

    def __init__(
        self,
        engine: AsyncEngine | Engine | Engines,
        *,
        tables: Tables = Tables(),  # noqa: B008 - frozen
        create_tables: bool = True,
        patience: float = PATIENCE,
    ) -> None:
        self._patience = check_patience(patience)
        engines = engine if isinstance(engine, Engines) else engines_of(engine)
        check_backend(engines.backend)
        self.tables = tables
        self._engines = engines
        self._schema = schema_of(engines.backend, tables)
        # Names are checked before anything is known of the database.
        self._dialect = self._dialect_for(Layout())
        self._create_tables = create_tables
        self._door = Door(type(self).__name__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._engines.shown!r})"

    @property
    def identity(self) -> Hashable:
        """The database and the tables."""
        identity, tables = self._engines.identity, self.tables
        return (
            (identity, *tables.folded) if self._engines.backend == "sqlite" else (identity, tables)
        )

    @classmethod
    def from_url(
        cls,
        url: str | os.PathLike[str] | URL,
        *,
        engine_kwargs: Mapping[str, Any] | None = None,
        tables: Tables = Tables(),  # noqa: B008 - frozen
        create_tables: bool = True,
        patience: float = PATIENCE,
    ) -> Self:
        """A store on an engine of its own, one for each event loop.

        Stores with the same URL and `engine_kwargs` share it; it is disposed with the last
        of them.

        url: such as postgresql://user:password@host/database, or the path of a file of SQLite.
            Its options override the other arguments, as docs/stores.md says.
        engine_kwargs: go to `sqlalchemy.ext.asyncio.create_async_engine`.
        """
        address = read_url(url, tables, patience)
        store = cls(
            engines_at(address.url, engine_kwargs or {}),
            tables=address.tables,
            create_tables=create_tables,
            patience=address.patience,
        )
        store.lease_seconds = address.lease_seconds
        return store

    @property
    def engine(self) -> AsyncEngine | Engine:
        """The engine that was handed in, or the one made for the running event loop."""
        return self._engines.engine

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        for change in changes:
            self._dialect.check_names(Log(session, change.log))
        commit = Commit.of(session, changes, key)
        # Several queries see one state only under the lock of the session.
        if commit.is_small and not commit.writes:
            return await self._read(lambda sql, db: sql.check(db, commit))
        work = partial(self._committing, commit)
        with self._door:
            return await finished(self._run(work, again=self._again(commit)))

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
        self._dialect.check_names(log)
        bounds = span(after, before)
        return await self._read(lambda sql, db: sql.read(db, log, bounds, limit, oldest))

    async def logs(self, session: str) -> list[Head]:
        check(session)
        self._dialect.check_names(Log(session))
        return await self._read(lambda sql, db: sql.logs(db, session))

    async def sessions(
        self,
        *,
        prefix: str = "",
        after: Cursor | None = None,
        limit: int = 50,
        oldest: bool = False,
    ) -> list[Head]:
        check(prefix, limit=limit)
        if not self._dialect.can_hold(Log(prefix)):
            return []
        return await self._read(lambda sql, db: sql.sessions(db, prefix, after, limit, oldest))

    async def delete(self, session: str, *, expect: int | None = None) -> None:
        check(session)
        self._dialect.check_names(Log(session))
        work = partial(self._writing, lambda sql, db: sql.delete(db, session, expect))
        deletion = Commit.of(session, [Forget("main", expect)], None)
        again = _always if expect is None else self._again(deletion)
        with self._door:
            await finished(self._run(work, again=again))

    async def ping(self) -> None:
        """Send the server a query. Raises the driver's error if it doesn't answer."""
        with self._door, heeded_cancellation():
            await self._engines.run(looking(lambda db: db.exec_driver_sql("SELECT 1").scalar()))

    async def changes(self) -> list[str]:
        """The statements that bring the schema up to date; an empty list if it is."""
        job = partial(self._schema.changes, shared=True)
        with self._door, heeded_cancellation(), self._outages_named():
            return await self._retried(lambda: self._engines.run(looking(job)), _always)

    async def migrate(self) -> None:
        """Bring the schema up to date. The first write does it too, if the role has the right."""
        with self._door, self._outages_named():
            await finished(self._retried(self._migrate, _always))

    async def _migrate(self) -> None:
        layout = await self._look()
        if not layout.is_current:
            await self._migrated(layout)

    async def aclose(self) -> None:
        await self._door.close()
        await self._engines.aclose()

    def close(self) -> None:
        """Close the store without waiting."""
        self._door.is_closed = True
        self._engines.release()

    def _again(self, commit: Commit) -> Again:
        """Whether a commit may be made again when its answer was lost.

        With a key, it happens once. Without one, it has not happened yet if a log still ends
        where it can't end after it.
        """
        return _always if commit.is_repeatable else partial(self._has_not_happened, commit)

    async def _read(self, job: Job[T]) -> T:
        with self._door, heeded_cancellation():
            work = self._run(partial(self._reading, job), again=_always)
            # A connection to SQLite that is given up in mid-read keeps its lock for a while.
            return await (finished(work) if self._dialect.locks_all else work)

    async def _retried(self, work: Callable[[], Awaitable[T]], again: Again) -> T:
        return await retried(work, again, self._patience)

    async def _run(self, attempt: Callable[[], Awaitable[T]], *, again: Again) -> T:
        """Make an attempt, and more where that can do no harm.

        again: whether it may be tried again after its connection was lost.
        """
        with self._outages_named():
            try:
                try:
                    return await self._retried(attempt, again)
                except DBAPIError as error:
                    if not is_missing(error):
                        raise
                # The database was made anew since this process last saw it.
                self._engines.ready.pop(self.tables, None)
                return await self._retried(attempt, again)
            except DBAPIError as error:
                raise without_values(error)  # noqa: B904 - the very same

    def _outages_named(self) -> AbstractContextManager[None]:
        kind = name_of(self._engines.backend)
        return outages_named(kind, lambda: self._engines.address, _outage)

    async def _reading(self, job: Job[T]) -> T:
        sql = self._dialect_for(await self._look())
        self._schema.check_readable(sql.layout, shared=self._create_tables)
        work = partial(job, sql)
        return await self._engines.run(stating(sql, work) if sql.single else looking(work))

    async def _committing(self, commit: Commit) -> Committed:
        sql = await self._writable()
        if commit.is_small and sql.is_one_statement(commit):
            done = await self._engines.run(stating(sql, lambda db: sql.commit_at_once(db, commit)))
            if done is not None:
                return done
        return await self._engines.run(writing(sql, lambda db: sql.commit(db, commit)))

    async def _writing(self, job: Job[T]) -> T:
        sql = await self._writable()
        return await self._engines.run(writing(sql, partial(job, sql)))

    async def _writable(self) -> Dialect:
        """The statements for the tables of the database, all of which are there."""
        layout = await self._look()
        if not layout.is_current:
            layout = await self._migrated(layout)
        return self._dialect_for(layout)

    async def _look(self) -> Layout:
        """The tables of the database; remembered once it can be written to."""
        layout = self._engines.ready.get(self.tables)
        if layout is None:
            layout = await self._engines.run(looking(self._schema.look))
            if layout.is_current:
                self._engines.ready[self.tables] = layout
        return layout

    async def _migrated(self, found: Layout) -> Layout:
        """The tables of the database, after those that were missing were made."""
        job = partial(self._schema.migrate, shared=self._create_tables)
        try:
            await self._engines.run(writing(self._dialect, job))
        except DBAPIError as error:
            if not is_denied(error):
                raise
            raise self._schema.denied(found) from without_values(error)
        return await self._look()

    def _dialect_for(self, layout: Layout) -> Dialect:
        return dialect_of(self._engines.backend, self.tables, layout)

    async def _has_not_happened(self, commit: Commit) -> bool:
        """Whether it is known that `commit` has not happened."""
        witness = commit.witness
        if witness is None:
            return False
        try:
            await self._retried(
                partial(self._reading, lambda sql, db: sql.check(db, witness)), _always
            )
        except Conflict:
            return False
        return True


def _outage(error: Exception) -> Exception | None:
    if not isinstance(error, OutOfReach):
        return None
    cause = error.error
    return without_values(cause) if isinstance(cause, DBAPIError) else cause


async def _always() -> bool:
    return True
