"""Connections and transactions for jobs."""

from __future__ import annotations

import selectors
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from turnlog.stores.sqlalchemy.dialect import Abandoned, Dialect
from turnlog.stores.sqlalchemy.retrying import Undone, is_transient

__all__ = ["Job", "looking", "stating", "writing"]

T = TypeVar("T")
Job: TypeAlias = Callable[[Connection], T]


def looking(job: Job[T]) -> Callable[[Engine], T]:
    """Runs `job`, which only reads, on a connection."""

    def work(engine: Engine) -> T:
        with _connected(engine) as db:
            return job(db)

    return work


def stating(dialect: Dialect, job: Job[T]) -> Callable[[Engine], T]:
    """Runs `job`, which is a single statement, without a transaction around it.

    An engine with listeners for the begin of transactions gets a transaction all the same.
    """
    in_a_transaction = writing(dialect, job)

    def work(engine: Engine) -> T:
        if engine.dispatch.begin:
            return in_a_transaction(engine)
        with _connected(engine) as db:
            if not dialect.commits_at_once(db):
                db.execution_options(isolation_level="AUTOCOMMIT")
            return job(db)

    return work


def writing(dialect: Dialect, job: Job[T]) -> Callable[[Engine], T]:
    """Runs `job` in one transaction, also on an engine in autocommit mode.

    Raises `Undone` for errors that may pass, except at the commit: only that may have
    succeeded all the same.
    """

    def work(engine: Engine) -> T:
        with _connected(engine) as db:
            try:
                outcome = _begun(dialect, db, job)
            except Abandoned as abandoned:
                _roll_back(dialect, db)
                return cast(T, abandoned.outcome)  # the job's own
            except BaseException as error:
                _roll_back(dialect, db)
                _raise_undone(error)
                raise
            try:
                _commit(dialect, db)
            except BaseException:
                db.invalidate()  # nobody else may get it while its transaction is open
                raise
            return outcome

    return work


def _begun(dialect: Dialect, db: Connection, job: Job[T]) -> T:
    db.begin()
    dialect.begin(db)
    return job(db)


def _connected(engine: Engine) -> Connection:
    """A connection on which nothing was sent yet, and that is not closed as far as is known."""
    try:
        db = engine.connect()
    except Exception as error:
        _raise_undone(error)
        raise
    try:
        while _is_dead(db):
            db.invalidate()
    except BaseException as error:
        db.close()
        _raise_undone(error)
        raise
    return db


def _raise_undone(error: BaseException) -> None:
    if isinstance(error, Exception) and is_transient(error):
        raise Undone(error) from None


def _is_dead(db: Connection) -> bool:
    """Whether the server has closed the connection, found out without a round trip."""
    driver: Any = db.connection.driver_connection
    if hasattr(driver, "is_closed"):  # asyncpg
        return bool(driver.is_closed())
    # psycopg: without a query, a server sends something only when it closes the connection.
    return hasattr(driver, "fileno") and hasattr(driver, "info") and _is_readable(driver.fileno())


def _is_readable(descriptor: int) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        return bool(selector.select(0))


def _commit(dialect: Dialect, db: Connection) -> None:
    if dialect.commits_at_once(db):
        db.exec_driver_sql("COMMIT")
    db.commit()


def _roll_back(dialect: Dialect, db: Connection) -> None:
    """Roll back the transaction, also one that the driver doesn't know of."""
    try:
        if not db.invalidated and dialect.commits_at_once(db):
            db.exec_driver_sql("ROLLBACK")
        db.rollback()
    except (DBAPIError, OSError):
        # It may be in the middle of its work: no other job may get this connection.
        db.invalidate()
