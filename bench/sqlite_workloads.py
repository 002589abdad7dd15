"""SQLite workloads on one file: Turnlog, the OpenAI Agents SDK, and bare `sqlite3`.

All three commit with WAL and `synchronous=FULL`, into the same tables.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import orjson
from agents import SQLiteSession as SDKSession

from bench.harness import Workload
from turnlog import SQLiteSession

__all__ = ["workloads"]

Item = dict[str, Any]

CUSTOMERS = 500
WRITERS = 64
BATCHES = 10
SINGLES = 500
READ = 10_000


class _Session(Protocol):
    async def get_items(self, limit: int | None = None) -> list[Any]: ...
    async def add_items(self, items: list[Any]) -> None: ...
    def close(self) -> None: ...


Make = Callable[[str, Path], _Session]


def _turnlog(session_id: str, path: Path) -> _Session:
    return SQLiteSession(session_id, path)


def _sdk(session_id: str, path: Path) -> _Session:
    return SDKSession(session_id, path)


def _item(number: int) -> Item:
    role = "assistant" if number % 2 else "user"
    return {"role": role, "content": f"message {number}: " + "what was said in this turn, " * 4}


def workloads() -> list[Workload]:
    """All SQLite workloads, in the order of the table."""
    return [
        _compare("server: new session, read 20, add 2, close", _server, _bare_server, "5 x"),
        _compare("64 sessions adding 4 at once", _writers, _bare_writers, "12 x, 70 %"),
        _compare("one session, one item at a time", _singles, _bare_singles, "1.6 x, 85 %"),
        _compare(f"read all of {READ:,}", _read_all, _bare_read_all, "2 x, 75 %"),
        *(
            _compare(f"newest 50 of {size:,}", partial(_newest, size), None, "1 x, flat")
            for size in (1_000, 100_000, 1_000_000)
        ),
    ]


def _compare(
    name: str, work: Callable[[Make, Path], Any], bare: Callable[[Path], float] | None, goal: str
) -> Workload:
    async def alone(place: Path) -> float:
        assert bare is not None
        return bare(place)

    return Workload(
        name=name,
        turnlog=partial(work, _turnlog),
        sdk=partial(work, _sdk),
        bare=alone if bare else None,
        goal=goal,
    )


# A server that makes a session object for each message


async def _server(make: Make, place: Path) -> float:
    path = _filled(place, CUSTOMERS, 20)
    start = perf_counter()
    for number in range(CUSTOMERS):
        session = make(f"customer-{number}", path)
        assert len(await session.get_items(limit=20)) == 20
        await session.add_items([_item(0), _item(1)])
        session.close()
    return (perf_counter() - start) / CUSTOMERS


def _bare_server(place: Path) -> float:
    db = _open(_filled(place, CUSTOMERS, 20))
    start = perf_counter()
    for number in range(CUSTOMERS):
        session = f"customer-{number}"
        rows = db.execute(f"{_READ} DESC LIMIT 20", (session,)).fetchall()
        assert len([orjson.loads(row[0]) for row in reversed(rows)]) == 20
        _append(db, session, [_item(0), _item(1)])
    seconds = perf_counter() - start
    db.close()
    return seconds / CUSTOMERS


# Many sessions that write at once


async def _writers(make: Make, place: Path) -> float:
    path = _filled(place, 0, 0)
    sessions = [make(f"writer-{number}", path) for number in range(WRITERS)]

    async def write(session: _Session) -> None:
        for batch in range(BATCHES):
            await session.add_items([_item(4 * batch + n) for n in range(4)])

    await asyncio.gather(*(s.add_items([_item(0)]) for s in sessions))
    start = perf_counter()
    await asyncio.gather(*map(write, sessions))
    seconds = perf_counter() - start
    for session in sessions:
        session.close()
    return seconds / (WRITERS * BATCHES)


def _bare_writers(place: Path) -> float:
    db = _open(_filled(place, 0, 0))
    start = perf_counter()
    for batch in range(BATCHES):
        db.execute("BEGIN IMMEDIATE")
        for number in range(WRITERS):
            _insert(db, f"writer-{number}", [_item(4 * batch + n) for n in range(4)])
        db.execute("COMMIT")
    seconds = perf_counter() - start
    db.close()
    return seconds / (WRITERS * BATCHES)


# One conversation, item by item


async def _singles(make: Make, place: Path) -> float:
    session = make("one", _filled(place, 0, 0))
    await session.add_items([_item(0)])
    start = perf_counter()
    for number in range(SINGLES):
        await session.add_items([_item(number)])
    seconds = perf_counter() - start
    session.close()
    return seconds / SINGLES


def _bare_singles(place: Path) -> float:
    db = _open(_filled(place, 0, 0))
    _append(db, "one", [_item(0)])
    start = perf_counter()
    for number in range(SINGLES):
        _append(db, "one", [_item(number)])
    seconds = perf_counter() - start
    db.close()
    return seconds / SINGLES


# Reading


async def _read_all(make: Make, place: Path) -> float:
    session = make("customer-0", _filled(place, 1, READ))
    await session.get_items(limit=1)
    start = perf_counter()
    for _ in range(5):
        assert len(await session.get_items()) == READ
    seconds = perf_counter() - start
    session.close()
    return seconds / 5


def _bare_read_all(place: Path) -> float:
    db = _open(_filled(place, 1, READ))
    start = perf_counter()
    for _ in range(5):
        rows = db.execute(_READ, ("customer-0",)).fetchall()
        assert len([orjson.loads(row[0]) for row in rows]) == READ
    seconds = perf_counter() - start
    db.close()
    return seconds / 5


async def _newest(size: int, make: Make, place: Path) -> float:
    session = make("customer-0", _filled(place, 1, size))
    await session.get_items(limit=50)
    start = perf_counter()
    for _ in range(200):
        assert len(await session.get_items(limit=50)) == 50
    seconds = perf_counter() - start
    session.close()
    return seconds / 200


# Bare sqlite3

_READ = "SELECT message_data FROM agent_messages WHERE session_id = ? ORDER BY id"


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def _append(db: sqlite3.Connection, session: str, items: list[Item]) -> None:
    db.execute("BEGIN IMMEDIATE")
    _insert(db, session, items)
    db.execute("COMMIT")


def _insert(db: sqlite3.Connection, session: str, items: list[Item]) -> None:
    db.execute(
        "INSERT INTO agent_sessions (session_id) VALUES (?) "
        "ON CONFLICT (session_id) DO UPDATE SET updated_at = CURRENT_TIMESTAMP",
        (session,),
    )
    db.executemany(
        "INSERT INTO agent_messages (session_id, message_data) VALUES (?, ?)",
        [(session, orjson.dumps(item).decode()) for item in items],
    )


def _filled(place: Path, customers: int, each: int) -> Path:
    """A file as the SDK makes it, with `each` items of each customer."""
    path = place / "bench.db"
    SDKSession("nobody", path).close()
    db = _open(path)
    db.execute("BEGIN")
    for number in range(customers):
        session = f"customer-{number}"
        db.execute("INSERT INTO agent_sessions (session_id) VALUES (?)", (session,))
        db.executemany(
            "INSERT INTO agent_messages (session_id, message_data) VALUES (?, ?)",
            ((session, json.dumps(_item(n))) for n in range(each)),
        )
    db.execute("COMMIT")
    db.close()
    return path
