"""Engines of SQLAlchemy: passed in by the caller, or made from a URL and shared."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, exc, make_url
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import SingletonThreadPool
from sqlalchemy.util import greenlet_spawn

from turnlog.items.given import given
from turnlog.loops.clients import Share, SharedClients
from turnlog.stores.sqlalchemy.admission import admitted
from turnlog.stores.sqlalchemy.identity import identity_of
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.tables import Tables

__all__ = ["Engines", "Job", "engines_at", "engines_of"]

#: The pool of an engine that is made here: of fixed size, so that calls get connections in the
#: order in which they came; see `admission`.
_POOL = {"pool_size": 10, "max_overflow": 0}
#: Options of the caller's that say something else about it.
_POOLING = {"pool_size", "max_overflow", "poolclass", "pool"}

T = TypeVar("T")
Job = Callable[[Engine], T]


class Engines(ABC):
    """Runs jobs without blocking the event loop.

    ready: the layout of the database for pairs of tables that are ready to be written to.
    backend: the kind of database, such as "postgresql".
    """

    ready: dict[Tables, Layout]
    backend: str

    @abstractmethod
    async def run(self, job: Job[T]) -> T:
        """The result of `job`, which is called with a plain `Engine`."""

    @property
    @abstractmethod
    def identity(self) -> Hashable:
        """Identifies the database: equal for two that reach the same one.

        Where the URL of an engine that was passed in doesn't tell, its dialect does: the engine
        shares that with its copies that have other options, and with no other engine.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Dispose of an engine that was made here; one that was passed in stays open."""

    @abstractmethod
    def release(self) -> None:
        """The same, without waiting."""

    @property
    @abstractmethod
    def url(self) -> URL:
        """The URL of the database."""

    @property
    def address(self) -> str:
        """Host, port and database, for the text of an error; never user and password."""
        url = self.url
        host = url.host or url.query.get("host") or url.query.get("unix_socket") or "localhost"
        port = "" if url.port is None else f":{url.port}"
        return f"{host}{port}/{url.database or ''}"

    @property
    def shown(self) -> str:
        """The kind of database, and its file or address; never user and password."""
        file = f"/{self.url.database or ''}"
        return f"{self.backend}://{file if self.backend == 'sqlite' else self.address}"

    @property
    @abstractmethod
    def engine(self) -> AsyncEngine | Engine:
        """The engine that was passed in, or the one of the running event loop."""


def engines_of(engine: AsyncEngine | Engine) -> Engines:
    """Runs on the caller's own engine. Raises `TypeError` for what is no engine."""
    _check_engine(engine)
    return _Async(engine) if isinstance(engine, AsyncEngine) else _Threaded(engine)


def engines_at(url: str | URL, options: Mapping[str, Any]) -> Engines:
    """Runs on an engine for `url`, shared by all stores with the same URL and options.

    options: go to `create_async_engine`.
    """
    address = _Address(make_url(url), {**options})
    _check_driver(address.url)
    if address.is_memory:
        # No other store may share it, and it must outlive the event loop.
        return _Async(_made(address), owned=True)
    return _PerLoop(address)


def _check_engine(engine: object) -> None:
    if isinstance(engine, AsyncEngine | Engine):
        return
    cure = "make one with create_async_engine(url)"
    if isinstance(engine, str | URL):
        cure = "for a URL, write SQLAlchemySession.from_url(session_id, url=…)"
    elif type(engine).__module__.startswith("sqlalchemy."):
        cure = "give the engine that connections and sessions are made from"
    raise TypeError(f"engine must be an engine of SQLAlchemy, not {given(engine)}: {cure}")


def _check_driver(url: URL) -> None:
    """Raise `ValueError` for a URL with a driver that is not for asyncio."""
    try:
        kind = url.get_dialect()
    except exc.NoSuchModuleError:
        raise ValueError(
            f"SQLAlchemy has no dialect for {url.drivername}://: for what is no SQL database, "
            f"write StoredSession(session_id, open_store(url))"
        ) from None
    except ImportError:
        return  # the driver is not installed: that is an error when the engine is made
    if not kind.get_async_dialect_cls(url).is_async:
        backend = url.get_backend_name()
        raise ValueError(
            f"the driver of {url.drivername}:// blocks: use one for asyncio, which {backend}:// "
            f"stands for, or pass an engine of create_engine(…) instead of a URL"
        )


class _Single(Engines):
    """One engine, whichever event loop it is used on."""

    def __init__(self, engine: AsyncEngine | Engine) -> None:
        plain = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
        self.ready = _ready_on.setdefault(plain, {})
        self.backend = plain.dialect.name
        self._engine = engine
        self._private = _without_parameters(plain)

    @property
    def identity(self) -> Hashable:
        return identity_of(self._engine.url, {}, self._engine.dialect)

    @property
    def url(self) -> URL:
        return self._engine.url

    @property
    def engine(self) -> AsyncEngine | Engine:
        return self._engine


class _Async(_Single):
    _engine: AsyncEngine

    def __init__(self, engine: AsyncEngine, *, owned: bool = False) -> None:
        super().__init__(engine)
        self._owned = owned

    async def run(self, job: Job[T]) -> T:
        return await _spawned(job, self._private)

    async def aclose(self) -> None:
        if self._owned:
            await self._engine.dispose()

    def release(self) -> None:
        if self._owned:
            self._engine.sync_engine.dispose(close=False)


class _Threaded(_Single):
    """For engines that block: each job runs on a thread."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._executor: Executor | None = None
        if isinstance(engine.pool, SingletonThreadPool):
            # One connection for each thread, as for SQLite in memory: so one thread only.
            self._executor = ThreadPoolExecutor(1, "turnlog-sqlalchemy")

    async def run(self, job: Job[T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, job, self._private)

    async def aclose(self) -> None:
        self.release()

    def release(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False)


@dataclass(frozen=True)
class _Address:
    """URL and options: stores for which both are equal share an engine."""

    url: URL
    options: Mapping[str, Any] = field(hash=False)

    @property
    def is_memory(self) -> bool:
        """Whether the database is SQLite in memory, which is gone with its connection."""
        database = self.url.database or ""
        memory = {"", ":memory:"}
        return self.url.get_backend_name() == "sqlite" and (
            database in memory or "mode=memory" in database
        )


class _PerLoop(Engines):
    """For a URL: an engine for each event loop."""

    def __init__(self, address: _Address) -> None:
        self.ready = _ready_at.setdefault(address, {})
        self.backend = address.url.get_backend_name()
        self._address = address
        self._share: Share[_Address, AsyncEngine] = _shared.share(address)

    async def run(self, job: Job[T]) -> T:
        return await _spawned(job, self._share.here().sync_engine)

    async def aclose(self) -> None:
        await self._share.aclose()

    def release(self) -> None:
        self._share.release()

    @property
    def identity(self) -> Hashable:
        return identity_of(self._address.url, self._address.options, self._address)

    @property
    def url(self) -> URL:
        return self._address.url

    @property
    def engine(self) -> AsyncEngine:
        return self._share.here()


async def _spawned(job: Job[T], engine: Engine) -> T:
    async with admitted(engine.pool):
        return await greenlet_spawn(job, engine)


def _made(address: _Address) -> AsyncEngine:
    options = dict(address.options)
    options.setdefault("hide_parameters", True)  # they hold what people said
    if _POOLING.isdisjoint(options) and address.url.get_backend_name() != "sqlite":
        options |= _POOL
    if address.url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": 30.0, **options.get("connect_args", {})}
    try:
        return create_async_engine(address.url, **options)
    except ModuleNotFoundError as error:
        extra = {"asyncpg": "'turnlog[postgresql]'", "asyncmy": "'turnlog[mysql]'"}
        package = extra.get(error.name or "", error.name)
        raise ImportError(
            f"this database needs {error.name}: pip install {package}", name=error.name
        ) from error


def _without_parameters(engine: Engine) -> Engine:
    """The same engine, without parameters in errors and logs: they hold what people said."""
    private = engine.execution_options()
    private.hide_parameters = True
    return private


async def _dispose(engine: AsyncEngine) -> None:
    await engine.dispose()


_ready_on: WeakKeyDictionary[Engine, dict[Tables, Layout]] = WeakKeyDictionary()
_ready_at: dict[_Address, dict[Tables, Layout]] = {}
_shared: SharedClients[_Address, AsyncEngine] = SharedClients(_made, _dispose)
