"""The contract on a database that SQLAlchemy reaches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from turnlog.loops import Door, finished
from turnlog.store import Cursor, Head, Log, Records, Store, check
from turnlog.stores.sqlalchemy.dialect import Dialect, span
from turnlog.stores.sqlalchemy.engines import Engines, engines_at, engines_of
from turnlog.stores.sqlalchemy.mysql import MySQL
from turnlog.stores.sqlalchemy.postgresql import PostgreSQL
from turnlog.stores.sqlalchemy.retrying import Again, is_missing_table, patiently
from turnlog.stores.sqlalchemy.sqlite import SQLite
from turnlog.tables import Tables

__all__ = ["SQLAlchemyStore"]

T = TypeVar("T")

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
    create_tables: makes the two shared tables on first use. Without it they have to be
        there. Our own beside them are made in any case.

    An append is one statement on PostgreSQL and a short transaction elsewhere. What the
    database undid (a deadlock, a serialization failure) is tried again; so is what a lost
    connection can't have done twice: reads, and appends with a `key`. Everything else is
    raised as it is.
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
        self._dialect = _DIALECTS[engines.backend](tables)
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
            return await self._read(lambda db: self._end_or_key(db, log, expect, key))
        return await self._write(
            lambda db: self._dialect.append(db, log, payloads, expect, key),
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
        return await self._read(lambda db: self._dialect.read(db, log, bounds, limit))

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
            lambda db: self._dialect.remove(db, log, bounds, expect),
            again=self._again(log, expect),
        )

    async def annotate(self, log: Log, note: bytes) -> None:
        self._check(log, payloads=[note])
        await self._write(lambda db: self._dialect.annotate(db, log, note), again=_always)

    async def logs(self, session: str) -> list[Head]:
        self._check(Log(session))
        return await self._read(lambda db: self._dialect.logs(db, session))

    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        check(prefix, limit=limit)
        if not self._dialect.can_hold(Log(prefix)):
            return []
        return await self._read(lambda db: self._dialect.sessions(db, prefix, after, limit))

    async def delete(self, session: str, name: str | None = None) -> None:
        self._check(Log(session, name or ""))
        await self._write(
            lambda db: self._dialect.delete(db, session, name), single=False, again=_always
        )

    async def ping(self) -> None:
        """Ask the server for anything, and raise what keeps it from answering."""
        await self._read(lambda db: db.exec_driver_sql("SELECT 1"))

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

    def _end_or_key(self, db: Connection, log: Log, expect: int | None, key: str | None) -> int:
        """What an append of nothing returns."""
        done = None if key is None else self._dialect.find_key(db, log, key)
        return self._dialect.check_end(db, log, expect) if done is None else done

    def _again(self, log: Log, expect: int | None, key: str | None = None) -> Again:
        """Whether a write may be tried again when its answer was lost."""
        if key is not None:
            return _always
        return _never if expect is None else partial(self._ends_at, log, expect)

    async def _read(self, job: Callable[[Connection], T]) -> T:
        with self._door:
            work = self._run(job, single=True, again=_always)
            # A connection to SQLite that is given up in mid-read keeps its lock for a while.
            return await (finished(work) if self._dialect.locks_all else work)

    async def _write(
        self, job: Callable[[Connection], T], *, again: Again, single: bool = True
    ) -> T:
        with self._door:
            return await finished(self._run(job, single=single, again=again))

    async def _run(self, job: Callable[[Connection], T], *, single: bool, again: Again) -> T:
        """Run `job` on a connection, and again where that can do no harm.

        single: it is a single statement, so that it needs no transaction.
        again: whether it may be tried again after its connection was lost.
        """
        single = single and self._dialect.single
        await self._get_ready()
        try:
            return await patiently(lambda: self._engines.run(_on(job, single=single)), again)
        except DBAPIError as error:
            error.hide_parameters = True  # they hold what people said
            if not is_missing_table(error):
                raise
            # The database was made anew since this process last saw it.
            self._engines.ready.discard(self.tables)
            await self._get_ready()
            return await self._engines.run(_on(job, single=single))

    async def _get_ready(self) -> None:
        """See to it that the schema is up to date."""
        if self.tables not in self._engines.ready:
            migrate = partial(self._dialect.migrate, shared=self._create_tables)
            await patiently(lambda: self._engines.run(_on(migrate, single=False)), _always)
            self._engines.ready.add(self.tables)

    async def _ends_at(self, log: Log, position: int) -> bool:
        """Whether a write that expected this end can't have happened."""
        return await self._engines.run(
            _on(lambda db: self._dialect.last(db, log) == position, single=True)
        )


async def _always() -> bool:
    return True


async def _never() -> bool:
    return False


def _on(job: Callable[[Connection], T], *, single: bool) -> Callable[[Engine], T]:
    """`job` on a connection of its own, in one transaction or as one statement."""

    def work(engine: Engine) -> T:
        with engine.connect() as db:
            if single:
                db = db.execution_options(isolation_level="AUTOCOMMIT")  # noqa: PLW2901 - the same one
            outcome = job(db)
            db.commit()
            return outcome

    return work
