"""The contract on a database that SQLAlchemy reaches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Self, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from turnlog.loops.door import Door
from turnlog.loops.finishing import finished
from turnlog.records import Log, Records
from turnlog.store import Cursor, Head, Store, check
from turnlog.stores.sqlalchemy.dialect import Dialect
from turnlog.stores.sqlalchemy.engines import Engines, engines_at, engines_of
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.mysql import MySQL
from turnlog.stores.sqlalchemy.places import span
from turnlog.stores.sqlalchemy.postgresql import PostgreSQL
from turnlog.stores.sqlalchemy.privacy import without_values
from turnlog.stores.sqlalchemy.retrying import Again, is_denied, is_missing_table, patiently
from turnlog.stores.sqlalchemy.sqlite import SQLite
from turnlog.stores.sqlalchemy.work import looking, stating, writing
from turnlog.stores.tables import Tables

__all__ = ["SQLAlchemyStore"]

T = TypeVar("T")
Job: TypeAlias = Callable[[Dialect, Connection], T]

_DIALECTS: dict[str, type[Dialect]] = {
    "postgresql": PostgreSQL,
    "mysql": MySQL,
    "mariadb": MySQL,
    "sqlite": SQLite,
}


class SQLAlchemyStore(Store):
    """Logs in PostgreSQL, MySQL, MariaDB or SQLite.

    engine: an `AsyncEngine`, or an ordinary `Engine`, whose work is then done on threads.
        It stays yours and is never disposed here.
    tables: names of the two tables that are shared with the OpenAI Agents SDK.
    create_tables: makes the two shared tables at the first write. Without it they have to be
        there. Our own beside them are made in any case. Where all are there, no right to
        make tables is needed, and to read no right to write; what is missing and can't be
        made is a `SchemaError`.

    An append is one statement on PostgreSQL and a short transaction elsewhere. What the
    database undid (a deadlock, a serialization failure) is tried again, and so is what was
    never sent because there was no connection, for ten seconds. When a connection is lost in
    the middle, so is what can't happen twice: reads, transactions that were not committed yet,
    and writes with a `key` or an `expect`. Everything else is raised as it is.
    """

    def __init__(
        self,
        engine: AsyncEngine | Engine | Engines,
        *,
        tables: Tables = Tables(),  # noqa: B008 - frozen
        create_tables: bool = True,
    ) -> None:
        engines = engine if isinstance(engine, Engines) else engines_of(engine)
        if engines.backend not in _DIALECTS:
            known = ", ".join(_DIALECTS)
            raise ValueError(f"{engines.backend} is not known here; there are {known}")
        self.tables = tables
        self._engines = engines
        # Names are checked before anything is known of the database.
        self._dialect = self._dialect_for(Layout())
        self._create_tables = create_tables
        self._door = Door(type(self).__name__)

    @property
    def place(self) -> Hashable:
        """The database and the tables."""
        return self._engines.place, self.tables

    @classmethod
    def from_url(
        cls,
        url: str | URL,
        *,
        engine_kwargs: Mapping[str, Any] | None = None,
        tables: Tables = Tables(),  # noqa: B008 - frozen
        create_tables: bool = True,
    ) -> Self:
        """A store on an engine of its own, one for each event loop.

        Stores with the same URL and `engine_kwargs` share it; it is disposed with the last
        of them. engine_kwargs: go to `sqlalchemy.ext.asyncio.create_async_engine`.
        """
        engines = engines_at(url, engine_kwargs or {})
        return cls(engines, tables=tables, create_tables=create_tables)

    @property
    def engine(self) -> AsyncEngine | Engine:
        """The engine that was handed in, or the one made for the running event loop."""
        return self._engines.engine

    async def append(
        self,
        log: Log,
        payloads: Sequence[bytes],
        *,
        expect: int | None = None,
        key: str | None = None,
    ) -> int:
        self._check(log, key, payloads)
        payloads = list(payloads)
        if not payloads:
            return await self._read(lambda sql, db: _end_or_key(sql, db, log, expect, key))
        return await self._write(
            lambda sql, db: sql.append(db, log, payloads, expect, key),
            again=self._again(log, expect, key),
        )

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
    ) -> Records:
        check(limit=limit)
        self._check(log)
        bounds = span(after, before)
        return await self._read(lambda sql, db: sql.read(db, log, bounds, limit))

    async def remove(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        expect: int | None = None,
    ) -> int:
        self._check(log)
        bounds = span(after, before)
        return await self._write(
            lambda sql, db: sql.remove(db, log, bounds, expect),
            again=self._again(log, expect),
        )

    async def annotate(self, log: Log, note: bytes) -> None:
        self._check(log, payloads=[note])
        await self._write(lambda sql, db: sql.annotate(db, log, note), again=_always)

    async def logs(self, session: str) -> list[Head]:
        self._check(Log(session))
        return await self._read(lambda sql, db: sql.logs(db, session))

    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        check(prefix, limit=limit)
        if not self._dialect.can_hold(Log(prefix)):
            return []
        return await self._read(lambda sql, db: sql.sessions(db, prefix, after, limit))

    async def delete(self, session: str, name: str | None = None) -> None:
        self._check(Log(session, name or ""))
        await self._write(
            lambda sql, db: sql.delete(db, session, name), single=False, again=_always
        )

    async def ping(self) -> None:
        """Ask the server for anything, and raise what keeps it from answering."""
        with self._door:
            await self._engines.run(looking(lambda db: db.exec_driver_sql("SELECT 1").scalar()))

    async def changes(self) -> list[str]:
        """The statements that make what is missing of the tables; none if nothing is."""
        job = partial(self._dialect.changes, shared=True)
        with self._door:
            return await patiently(lambda: self._engines.run(looking(job)), _always)

    async def migrate(self) -> None:
        """Make what is missing of the tables. The first write does it too, if it may."""
        with self._door:
            await finished(patiently(self._migrate, _always))

    async def _migrate(self) -> None:
        layout = await self._look()
        if not layout.version:
            await self._migrated(layout)

    async def aclose(self) -> None:
        await self._door.close()
        await self._engines.aclose()

    def close(self) -> None:
        """Let go of the database without waiting."""
        self._door.is_closed = True
        self._engines.let_go()

    def _check(self, log: Log, key: str | None = None, payloads: Sequence[bytes] = ()) -> None:
        """Refuse what the database can't hold."""
        check(*log, key or "", payloads=payloads)
        self._dialect.check_names(log, key)

    def _again(self, log: Log, expect: int | None, key: str | None = None) -> Again:
        """Whether a write may be tried again when its answer was lost."""
        if key is not None:
            return _always
        return _never if expect is None else partial(self._ends_at, log, expect)

    async def _read(self, job: Job[T]) -> T:
        with self._door:
            work = self._run(partial(self._reading, job), again=_always)
            # A connection to SQLite that is given up in mid-read keeps its lock for a while.
            return await (finished(work) if self._dialect.locks_all else work)

    async def _write(self, job: Job[T], *, again: Again, single: bool = True) -> T:
        with self._door:
            return await finished(self._run(partial(self._writing, job, single), again=again))

    async def _run(self, attempt: Callable[[], Awaitable[T]], *, again: Again) -> T:
        """Make an attempt, and more where that can do no harm.

        again: whether it may be tried again after its connection was lost.
        """
        try:
            try:
                return await patiently(attempt, again)
            except DBAPIError as error:
                if not is_missing_table(error):
                    raise
            # The database was made anew since this process last saw it.
            self._engines.ready.pop(self.tables, None)
            return await patiently(attempt, again)
        except DBAPIError as error:
            raise without_values(error)  # noqa: B904 - the very same

    async def _reading(self, job: Job[T]) -> T:
        sql = self._dialect_for(await self._look())
        if sql.layout.missing and not self._create_tables:
            raise sql.lacking(sql.layout.missing)
        work = partial(job, sql)
        return await self._engines.run(stating(sql, work) if sql.single else looking(work))

    async def _writing(self, job: Job[T], single: bool) -> T:
        layout = await self._look()
        if not layout.version:
            layout = await self._migrated(layout)
        sql = self._dialect_for(layout)
        work = partial(job, sql)
        single = single and sql.single
        return await self._engines.run(stating(sql, work) if single else writing(sql, work))

    async def _look(self) -> Layout:
        """What the database holds; once it can be written to, that is remembered."""
        layout = self._engines.ready.get(self.tables)
        if layout is None:
            layout = await self._engines.run(looking(self._dialect.look))
            if layout.version:
                self._engines.ready[self.tables] = layout
        return layout

    async def _migrated(self, found: Layout) -> Layout:
        """What the database holds after the tables that are missing were made."""
        sql = self._dialect_for(found)
        try:
            await self._engines.run(writing(sql, partial(sql.migrate, shared=self._create_tables)))
        except DBAPIError as error:
            if not is_denied(error):
                raise
            raise sql.denied() from without_values(error)
        return await self._look()

    def _dialect_for(self, layout: Layout) -> Dialect:
        return _dialect(self._engines.backend, self.tables, layout)

    async def _ends_at(self, log: Log, position: int) -> bool:
        """Whether a write that expected this end can't have happened."""
        last = await patiently(partial(self._reading, lambda sql, db: sql.last(db, log)), _always)
        return last == position


async def _always() -> bool:
    return True


async def _never() -> bool:
    return False


def _end_or_key(sql: Dialect, db: Connection, log: Log, expect: int | None, key: str | None) -> int:
    """What an append of nothing returns."""
    done = None if key is None else sql.find_key(db, log, key)
    return sql.check_end(db, log, expect) if done is None else done


@lru_cache(maxsize=128)
def _dialect(backend: str, tables: Tables, layout: Layout) -> Dialect:
    """One for all stores, so that its statements are made once."""
    return _DIALECTS[backend](tables, layout)
