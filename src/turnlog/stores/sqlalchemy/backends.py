"""Backends: the databases that there is a store on, each with its dialect and its schema."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from turnlog.stores.sqlalchemy.dialect import Dialect
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.mysql import MySQL
from turnlog.stores.sqlalchemy.postgresql import PostgreSQL
from turnlog.stores.sqlalchemy.schema import Schema
from turnlog.stores.sqlalchemy.schema_mysql import MySQLSchema
from turnlog.stores.sqlalchemy.schema_postgresql import PostgreSQLSchema
from turnlog.stores.sqlalchemy.schema_sqlite import SQLiteSchema
from turnlog.stores.sqlalchemy.sqlite import SQLite
from turnlog.stores.tables import Tables

__all__ = ["check_backend", "dialect_of", "name_of", "schema_of"]


class _Backend(NamedTuple):
    """A kind of database.

    name: as people write it, for errors.
    """

    name: str
    dialect: type[Dialect]
    schema: type[Schema]


#: By the names that SQLAlchemy has for them.
_BACKENDS = {
    "postgresql": _Backend("PostgreSQL", PostgreSQL, PostgreSQLSchema),
    "mysql": _Backend("MySQL", MySQL, MySQLSchema),
    "mariadb": _Backend("MariaDB", MySQL, MySQLSchema),
    "sqlite": _Backend("SQLite", SQLite, SQLiteSchema),
}


def check_backend(backend: str) -> None:
    """Raise `ValueError` for a database that there is no store on."""
    if backend not in _BACKENDS:
        known = ", ".join(_BACKENDS)
        raise ValueError(f"there is no store on {backend}, only on {known}")


def name_of(backend: str) -> str:
    """The database's name as people write it."""
    return _BACKENDS[backend].name


def schema_of(backend: str, tables: Tables) -> Schema:
    """The schema of these tables."""
    return _BACKENDS[backend].schema(tables)


@lru_cache(maxsize=128)
def dialect_of(backend: str, tables: Tables, layout: Layout) -> Dialect:
    """The dialect for all stores on these tables, so that its statements are built once."""
    return _BACKENDS[backend].dialect(tables, layout)
