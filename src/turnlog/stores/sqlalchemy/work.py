"""Connections and transactions: how a job gets its connection, and how its work is ended."""

from __future__ import annotations

import selectors
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from turnlog.stores.sqlalchemy.dialect import Abandoned, Dialect
from turnlog.stores.sqlalchemy.retrying import Undone, may_pass

__all__ = ["Job", "looking", "stating", "writing"]

T = TypeVar("T")
Job: TypeAlias = Callable[[Connection], T]


def looking(job: Job[T]) -> Callable[[Engine], T]:
    """`job`, which only reads, on a connection."""

    def work(engine: Engine) -> T:
        with _connected(engine) as db:
            return job(db)

    return work


def stating(dialect: Dialect, job: Job[T]) -> Callable[[Engine], T]:
    """`job`, which is a single statement, without a transaction around it.

    An engine that has a say at the begin of each transaction gets one all the same.
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
    """`job` in one transaction, whatever the engine makes of transactions by itself.

    Raises `Undone` for what may pass, unless it is the commit that fails: that alone may
    have happened all the same.
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
                _refuse_what_passes(error)
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
    """A connection on which nothing was sent yet, and that is not known to be dead."""
    try:
        db = engine.connect()
    except Exception as error:
        _refuse_what_passes(error)
        raise
    try:
        while _is_dead(db):
            db.invalidate()
    except BaseException as error:
        db.close()
        _refuse_what_passes(error)
        raise
    return db


def _refuse_what_passes(error: BaseException) -> None:
    if isinstance(error, Exception) and may_pass(error):
        raise Undone(error) from None


def _is_dead(db: Connection) -> bool:
    """Whether the server has closed the connection, as far as can be told without asking it."""
    driver: Any = db.connection.driver_connection
    if hasattr(driver, "is_closed"):  # asyncpg
        return bool(driver.is_closed())
    # psycopg: a server that has nothing to answer says something only to take its leave.
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
    """End the transaction, also one that the driver doesn't know of."""
    try:
        if not db.invalidated and dialect.commits_at_once(db):
            db.exec_driver_sql("ROLLBACK")
        db.rollback()
    except (DBAPIError, OSError):
        # It may be in the middle of its work: nobody else must get it.
        db.invalidate()
