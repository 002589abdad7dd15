"""Databases that an older version wrote, loaded into servers."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import asyncpg

from tests import ROOT
from tests.servers.databases import MariaDBServer, PostgresServer
from tests.servers.process import HOST

__all__ = ["DATA", "EXPECTED", "older_mariadb", "older_postgresql", "older_sqlite"]

DATA = ROOT / "tests" / "data" / "older"
#: What they hold: for each kind, session and log, its head and records.
EXPECTED: dict[str, Any] = json.loads((DATA / "expected.json").read_text())


async def older_postgresql(server: PostgresServer) -> str:
    """The URL of a new database with what the older version wrote to PostgreSQL."""
    database = server.fresh_database()
    connection = await asyncpg.connect(
        host=HOST, port=server.port, user="postgres", database=database
    )
    await connection.execute((DATA / "postgresql.sql").read_text(encoding="utf-8"))
    await connection.close()
    return server.url(database)


def older_mariadb(server: MariaDBServer) -> str:
    """The same on MariaDB."""
    database = server.fresh_database()
    client = shutil.which("mariadb") or "mysql"
    at = ["-h", HOST, "-P", str(server.port), "-u", "turnlog", "-psecret", database]
    with (DATA / "mariadb.sql").open("rb") as dump:
        subprocess.run([client, *at], stdin=dump, check=True, capture_output=True)
    return server.url(database)


def older_sqlite(kind: str, folder: Path) -> Path:
    """The path of a copy of the file that the older store of this kind wrote."""
    return Path(shutil.copy(DATA / f"{kind}.sqlite3", folder))
