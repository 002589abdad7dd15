"""PostgreSQL, MySQL, MariaDB and SQLite through SQLAlchemy.

store ── work ──▶ engine (the caller's, or shared by address and loop)
  └── backends: the kinds of database, each with
        ├── schema: its tables
        └── dialect: its statements (places and templates), for the tables that are there
"""

try:
    from turnlog.stores.sqlalchemy.engines import Engines, engines_at
    from turnlog.stores.sqlalchemy.store import PATIENCE, SQLAlchemyStore
    from turnlog.stores.sqlalchemy.urls import OPTIONS, read_url
    from turnlog.stores.tables import Tables
except ModuleNotFoundError as error:
    if error.name != "sqlalchemy":
        raise
    raise ImportError(
        "this store needs SQLAlchemy: pip install 'turnlog[postgresql]', or [mysql], "
        "or [sqlalchemy] with a driver of your own",
        name=error.name,
    ) from error

__all__ = ["OPTIONS", "PATIENCE", "Engines", "SQLAlchemyStore", "Tables", "engines_at", "read_url"]
