"""The page about deployment: backups under writers, and the numbers that it gives."""

import asyncio
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import asyncpg
import pytest

from tests import ROOT
from tests.docs.blocks import files_on
from tests.docs.guides.programs import write_files
from tests.servers.databases import PostgresServer
from turnlog import Agent, ModelRequest, ModelResponse, Runner, Store, StoredSession, open_store
from turnlog.sync import SQLiteSession

pytestmark = pytest.mark.slow

PAGE = "docs/guides/deployment.md"


class Answering:
    """Answers with 800 characters."""

    async def respond(self, request: ModelRequest) -> ModelResponse:
        part = {"type": "output_text", "text": "a" * 800, "annotations": []}
        return ModelResponse([{"type": "message", "role": "assistant", "content": [part]}])


async def talk(store: Store, sessions: int, turns: int) -> None:
    agent = Agent("Assistant", model=Answering())

    async def one(session: StoredSession) -> None:
        for turn in range(turns):
            await Runner.run(agent, f"{turn:0200}", session=session)

    names = [f"user-{number}" for number in range(sessions)]
    await asyncio.gather(*[one(StoredSession(name, store)) for name in names])


def test_a_backup_holds_all_that_was_acknowledged_before_it(tmp_path: Path) -> None:
    write_files(files_on(PAGE), tmp_path)
    path, begun, stop, acknowledged = tmp_path / "conversations.db", Event(), Event(), [0]
    session = SQLiteSession(path, session_id="s")

    def write() -> None:
        while not stop.is_set():
            session.add_items([{"role": "user", "content": str(acknowledged[0])}])
            acknowledged[0] += 1
            begun.set()

    writer = Thread(target=write)
    writer.start()
    try:
        begun.wait(60)
        for name in ("first.db", "second.db", "first.db"):  # the last one replaces a copy
            before = acknowledged[0]
            command = [sys.executable, "backup.py", "conversations.db", name]
            subprocess.run(command, cwd=tmp_path, check=True)
            with closing(sqlite3.connect(tmp_path / name)) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            restored = SQLiteSession(tmp_path / name, session_id="s")
            contents = [int(item["content"]) for item in restored.get_items()]
            assert contents == list(range(len(contents)))
            assert len(contents) >= before > 0
            restored.session.close()
    finally:
        stop.set()
        writer.join()
    assert acknowledged[0] > 0
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.anyio
async def test_sqlite_grows_as_the_page_says(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "c.db")) as store:
        await talk(store, sessions=20, turns=20)
    [said] = re.findall(r"^\| SQLite \| ([\d.]+) \|$", (ROOT / PAGE).read_text(), re.MULTILINE)
    measured = sum(path.stat().st_size for path in tmp_path.iterdir()) / 1000 / 400
    assert float(said) * 0.75 < measured < float(said) * 1.25


@pytest.mark.anyio
async def test_a_process_has_at_most_ten_connections_which_stay_open(
    postgres: PostgresServer,
) -> None:
    database = postgres.fresh_database()
    watching = await asyncpg.connect(
        host=postgres.host, port=postgres.port, user="postgres", database="postgres"
    )
    # An autovacuum worker may be connected to the database, too.
    counted = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = $1 AND backend_type = 'client backend'"""
    most = 0
    async with open_store(postgres.url(database)) as store:
        talking = asyncio.create_task(talk(store, sessions=60, turns=2))
        while not talking.done():
            most = max(most, await watching.fetchval(counted, database))
        await talking
        settled = await watching.fetchval(counted, database)
    await watching.close()
    assert 5 < most <= 10
    assert settled == most
