"""Records that are no text, such as encrypted ones, beside the SDK's classes on the same tables.

They fail, or take such a record for one item. None of them deletes what it was not told to delete.
"""

import json
import sqlite3
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from agents import SQLiteSession as TheirSQLiteSession
from agents.extensions.memory import AdvancedSQLiteSession as TheirAdvancedSession
from agents.extensions.memory import SQLAlchemySession as TheirSession
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.servers.databases import MariaDBServer, PostgresServer
from turnlog import Log
from turnlog.changes import Replace
from turnlog.store import Store
from turnlog.stores.sqlalchemy import SQLAlchemyStore
from turnlog.stores.sqlite import SQLiteStore
from turnlog.testing.looking import payloads_of, positions_of, seen

pytestmark = pytest.mark.anyio

LOG = Log("talk")
SEALED = [b"\xf5T\x01\x01" + bytes([n]) * 60 for n in range(5)]


async def sealed(store: Store) -> None:
    """Store items, and replace them by what is no text."""
    plain = [b'{"role": "user", "content": "%d"}' % n for n in range(5)]
    await store.append(LOG, plain)
    positions = await positions_of(store, LOG)
    await store.commit(LOG.session, [Replace(LOG.name, positions, SEALED, plain)])


async def replace_all(store: Store) -> None:
    """Replace what is stored, which is no text, by other bytes and back."""
    positions = await positions_of(store, LOG)
    others = [payload[::-1] for payload in SEALED]
    for old, new in ((SEALED, others), (others, SEALED)):
        await store.commit(LOG.session, [Replace(LOG.name, positions, new, old)])
        assert await payloads_of(store, LOG) == new


@pytest.mark.parametrize(
    ("theirs", "taken"),  # the advanced class deletes the newest record before it raises
    [(TheirSQLiteSession, 0), (TheirAdvancedSession, 1)],
)
async def test_a_file_of_ours_beside_their_class(theirs: Any, taken: int, tmp_path: Path) -> None:
    path = tmp_path / "talks.db"
    async with SQLiteStore(path, shared=theirs is TheirAdvancedSession) as store:
        await sealed(store)
        await replace_all(store)
        with sqlite3.connect(path) as db:
            kinds = db.execute("SELECT DISTINCT typeof(message_data) FROM agent_messages")
            assert kinds.fetchall() == [("blob",)]
        db.close()
        before = await seen(store, LOG.session)
        session = theirs(session_id=LOG.session, db_path=path)
        with pytest.raises(UnicodeDecodeError):
            await session.get_items()
        assert await seen(store, LOG.session) == before
        for pops in range(1, 4):
            with pytest.raises(UnicodeDecodeError):
                await session.pop_item()
            assert await payloads_of(store, LOG) == SEALED[: 5 - pops * taken]
        session.close()
        assert taken or await seen(store, LOG.session) == before


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path}/talks.db"
    else:
        server: PostgresServer | MariaDBServer = request.getfixturevalue(request.param)
        url = server.url(server.fresh_database())
    engine = create_async_engine(url)
    yield engine
    await engine.dispose()


async def test_databases_beside_their_class(engine: AsyncEngine) -> None:
    async with SQLAlchemyStore(engine) as store:
        await sealed(store)
        await replace_all(store)
        before = await seen(store, LOG.session)
        session = TheirSession(LOG.session, engine=engine)
        if engine.dialect.name == "sqlite":  # bytes, as in files of ours
            with pytest.raises(UnicodeDecodeError):
                await session.get_items()
            assert await seen(store, LOG.session) == before
            with pytest.raises(UnicodeDecodeError):  # after it has deleted the newest record
                await session.pop_item()
            assert await payloads_of(store, LOG) == SEALED[:-1]
            return
        items: list[Any] = await session.get_items()
        assert [b64decode(item["sealed"]) for item in items] == SEALED
        assert await seen(store, LOG.session) == before
        for left in (4, 3):
            popped = await session.pop_item()
            assert json.loads(json.dumps(popped)) == items[left]
            assert await payloads_of(store, LOG) == SEALED[:left]


@pytest.mark.slow
async def test_one_file_through_both_stores(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/talks.db"
    payloads = [*SEALED, b'{"__turnlog__": 1, "sealed": "aGk="}', b"{}", b"\0", b""]
    async with SQLAlchemyStore.from_url(url) as store, SQLiteStore(tmp_path / "talks.db") as ours:
        await store.append(LOG, payloads)
        await ours.append(LOG, payloads)
        assert await payloads_of(store, LOG) == payloads * 2
        assert await payloads_of(ours, LOG) == payloads * 2
        positions = await positions_of(store, LOG)
        for handle, old, new in ((store, payloads, payloads[::-1]), (ours, payloads[::-1], SEALED)):
            at = positions[: len(new)]
            change = Replace(LOG.name, at, new, old[: len(new)])
            await handle.commit(LOG.session, [change])
            assert (await payloads_of(store, LOG))[: len(new)] == new
