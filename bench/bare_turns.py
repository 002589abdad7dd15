"""The durable work of a turn, done by hand with the driver of each database.

Items are written and read as JSON, as the runners do. `begin` and `end` are what the two commits of
a turn of the runner write, each in one transaction: a lease, the question and a key; the answer,
a key, and the lease is gone.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol, Self

import asyncpg
import orjson
from redis.asyncio import Redis

__all__ = ["BarePostgreSQL", "BareRedis", "BareSQLite", "BareTurns", "an_item"]

Item = dict[str, Any]

_numbers = count(1)


def an_item(number: int) -> Item:
    """An item of a conversation."""
    return {"role": ("user", "assistant")[number % 2], "content": f"message {number} " * 12}


class BareTurns(Protocol):
    """The writes and the read of one conversation."""

    async def read(self) -> list[Item]: ...
    async def add(self, items: list[Item]) -> None: ...
    async def begin(self, key: str, payload: str) -> None: ...
    async def end(self, key: str, payload: str) -> None: ...


_SQLITE_TABLES = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE sessions (id TEXT PRIMARY KEY, updated TEXT DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT, data TEXT,
        created TEXT DEFAULT CURRENT_TIMESTAMP);
    CREATE INDEX by_session ON messages (session, id);
    CREATE TABLE leases (session TEXT PRIMARY KEY, holder TEXT);
    CREATE TABLE keys (session TEXT, key TEXT, PRIMARY KEY (session, key)) WITHOUT ROWID;
"""


class BareSQLite:
    """A file, through `sqlite3`."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SQLITE_TABLES)

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path) -> AsyncIterator[Self]:
        bare = cls(folder / "bare.db")
        yield bare
        bare._db.close()

    async def read(self) -> list[Item]:
        rows = self._db.execute("SELECT data FROM messages WHERE session = 'a' ORDER BY id")
        return [orjson.loads(row[0]) for row in rows.fetchall()]

    async def add(self, items: list[Item]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._insert([orjson.dumps(item).decode() for item in items])
        self._db.execute("COMMIT")

    async def begin(self, key: str, payload: str) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT INTO leases VALUES ('a', 'holder')")
        self._insert([payload], key)
        self._db.execute("COMMIT")

    async def end(self, key: str, payload: str) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("DELETE FROM leases WHERE session = 'a'")
        self._insert([payload], key)
        self._db.execute("COMMIT")

    def _insert(self, texts: list[str], key: str | None = None) -> None:
        self._db.execute(
            "INSERT INTO sessions (id) VALUES ('a') "
            "ON CONFLICT (id) DO UPDATE SET updated = CURRENT_TIMESTAMP"
        )
        self._db.executemany(
            "INSERT INTO messages (session, data) VALUES ('a', ?)", ((text,) for text in texts)
        )
        if key is not None:
            self._db.execute("INSERT INTO keys VALUES ('a', ?)", (key,))


_POSTGRESQL_TABLES = """
    CREATE TABLE IF NOT EXISTS turn_sessions
        (id VARCHAR PRIMARY KEY, updated_at TIMESTAMP DEFAULT now());
    CREATE TABLE IF NOT EXISTS turn_messages
        (id BIGSERIAL PRIMARY KEY, session_id VARCHAR REFERENCES turn_sessions (id), data TEXT,
         created_at TIMESTAMP DEFAULT now());
    CREATE INDEX IF NOT EXISTS turn_index ON turn_messages (session_id, id);
    CREATE TABLE IF NOT EXISTS turn_leases (session_id VARCHAR PRIMARY KEY, holder TEXT);
    CREATE TABLE IF NOT EXISTS turn_keys
        (session_id VARCHAR, key TEXT, PRIMARY KEY (session_id, key));
"""
_SESSION = """
    WITH s AS (INSERT INTO turn_sessions (id) VALUES ($1)
        ON CONFLICT (id) DO UPDATE SET updated_at = now() RETURNING id)
"""
_MESSAGES = """
    INSERT INTO turn_messages (session_id, data) SELECT s.id, d FROM s, unnest($2::text[]) d
"""
_WITH_KEY = ", k AS (INSERT INTO turn_keys VALUES ($1, $3))"
_TAKE = ", l AS (INSERT INTO turn_leases VALUES ($1, 'holder'))"
_GIVE_BACK = ", l AS (DELETE FROM turn_leases WHERE session_id = $1)"


class BarePostgreSQL:
    """A server, through `asyncpg`; each write is one statement."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._name = f"turns-{next(_numbers)}"

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, _folder: Path) -> AsyncIterator[Self]:
        async with asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=1) as pool:
            await pool.execute(_POSTGRESQL_TABLES)
            yield cls(pool)

    async def read(self) -> list[Item]:
        rows = await self._pool.fetch(
            "SELECT data FROM turn_messages WHERE session_id = $1 ORDER BY id", self._name
        )
        return [orjson.loads(row[0]) for row in rows]

    async def add(self, items: list[Item]) -> None:
        texts = [orjson.dumps(item).decode() for item in items]
        await self._pool.execute(_SESSION + _MESSAGES, self._name, texts)

    async def begin(self, key: str, payload: str) -> None:
        sql = _SESSION + _WITH_KEY + _TAKE + _MESSAGES
        await self._pool.execute(sql, self._name, [payload], key)

    async def end(self, key: str, payload: str) -> None:
        sql = _SESSION + _WITH_KEY + _GIVE_BACK + _MESSAGES
        await self._pool.execute(sql, self._name, [payload], key)


class BareRedis:
    """A server, through `redis.asyncio`; each write is one transaction."""

    def __init__(self, client: Redis) -> None:
        self._client: Any = client
        self._name = f"bare-turns-{next(_numbers)}"

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, _folder: Path) -> AsyncIterator[Self]:
        async with Redis.from_url(url) as client:
            yield cls(client)

    async def read(self) -> list[Item]:
        found = await self._client.execute_command("LRANGE", self._name, 0, -1)
        return [orjson.loads(element) for element in found]

    async def add(self, items: list[Item]) -> None:
        await self._write([orjson.dumps(item) for item in items])

    async def begin(self, key: str, payload: str) -> None:
        await self._write([payload.encode()], key, "SET", f"{self._name}:lease", "holder")

    async def end(self, key: str, payload: str) -> None:
        await self._write([payload.encode()], key, "DEL", f"{self._name}:lease")

    async def _write(self, payloads: list[bytes], key: str = "", *lease: str) -> None:
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.rpush(self._name, *payloads)
            pipe.hset(f"{self._name}:head", "updated_at", "1")
            if key:
                pipe.execute_command(*lease)
                pipe.hset(f"{self._name}:keys", key, "1")
            await pipe.execute()
