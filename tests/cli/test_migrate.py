"""`turnlog migrate` on real servers."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from typer.testing import CliRunner

from tests.servers.databases import MariaDBServer, PostgresServer
from tests.stores.older import older_mariadb, older_postgresql
from turnlog.cli.app import app
from turnlog.sessions.sqlalchemy import SQLAlchemySession


def _output(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["migrate", *arguments])
    return result.exit_code, result.stdout, result.stderr


async def _runs(url: str, script: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as db:
        for statement in script.split(";\n"):
            if statement:
                await db.execute(text(statement))
    session = SQLAlchemySession("a", engine, create_tables=False)
    await session.add_items([{"n": 1}])
    assert await session.get_items() == [{"n": 1}]
    await engine.dispose()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_it_prints_what_is_missing(kind: str, request: pytest.FixtureRequest) -> None:
    server: PostgresServer | MariaDBServer = request.getfixturevalue(kind)
    url = server.url(server.fresh_database())
    status, script, _ = _output("--store", url)
    assert status == 0
    for table in (
        "agent_sessions",
        "agent_messages",
        "turnlog_schema",
        "turnlog_agent_messages_writes",
    ):
        assert f"CREATE TABLE {table}" in script.replace('"', "").replace("`", "")
    assert _output("--store", url)[1] == script  # printing has made nothing
    asyncio.run(_runs(url, script))
    assert _output("--store", url)[:2] == (0, "-- nothing is missing\n")


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_what_it_prints_upgrades_older_tables(kind: str, request: pytest.FixtureRequest) -> None:
    server: Any = request.getfixturevalue(kind)
    url = older_mariadb(server) if kind == "mariadb" else asyncio.run(older_postgresql(server))
    status, script, _ = _output("--store", url)
    assert status == 0
    assert "SET version = 3" in script
    asyncio.run(_runs(url, script.replace("':'", r"'\:'")))
    assert _output("--store", url)[:2] == (0, "-- nothing is missing\n")


def test_it_runs_what_is_missing(postgres: PostgresServer) -> None:
    url = postgres.url(postgres.fresh_database()) + "?messages_table=talks"
    status, script, _ = _output("--store", url, "--run")
    assert status == 0
    assert 'CREATE TABLE "talks"' in script
    assert _output("--store", url)[:2] == (0, "-- nothing is missing\n")


def test_what_needs_none_says_so(tmp_path: Path) -> None:
    for url in (str(tmp_path / "a.db"), "memory://"):
        status, _, error = _output("--store", url)
        assert status == 1
        assert "makes what it needs by itself" in error
    assert not (tmp_path / "a.db").exists()
