"""Sessions of the SDK's AdvancedSQLiteSession, and files that they made."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from agents.extensions.memory import AdvancedSQLiteSession
from agents.usage import Usage

from turnlog.items.json import Item, decode
from turnlog.records import Log
from turnlog.store import Store
from turnlog.stores.sqlite import SQLiteStore

__all__ = [
    "Theirs",
    "contents",
    "dump",
    "items_of",
    "result",
    "store_of",
    "talk",
    "theirs",
    "usage_of",
]

Theirs = Any  # the SDK's own types of items are narrower than what it stores


@contextmanager
def theirs(
    path: Path, session: str = "a", *, create: bool = True, **tables: Any
) -> Iterator[Theirs]:
    """A session of the SDK's class."""
    made = AdvancedSQLiteSession(session_id=session, db_path=path, create_tables=create, **tables)
    with closing(made):
        yield made


def result(tokens: int) -> Any:
    """The result of a run that has spent so many tokens, in and out."""
    usage = Usage(requests=1, input_tokens=tokens, output_tokens=tokens, total_tokens=2 * tokens)
    return SimpleNamespace(context_wrapper=SimpleNamespace(usage=usage))


async def talk(session: Theirs, *turns: str, tokens: int = 5) -> None:
    """Adds turns of a question and an answer, each with its usage."""
    for turn in turns:
        await session.add_items(
            [{"role": "user", "content": turn}, {"role": "assistant", "content": f"{turn}!"}]
        )
        await session.store_run_usage(result(tokens))


@asynccontextmanager
async def store_of(path: Path) -> AsyncIterator[Store]:
    async with SQLiteStore(path) as store:
        yield store


async def items_of(store: Store, name: str = "main", session: str = "a") -> list[Item]:
    """The items in a log of ours."""
    return [decode(payload) for payload in (await store.read(Log(session, name))).payloads]


async def contents(store: Store, session: str = "a") -> dict[str, list[tuple[int, bytes, float]]]:
    """All logs of a session, after a look at what their heads tell."""
    logs = {}
    for head in await store.logs(session):
        records = await store.read(head.log)
        assert head.length == len(records)
        assert head.last == (records.positions[-1] if records else 0)
        logs[head.log.name] = list(map(tuple, records))
    return logs  # type: ignore[return-value] # tuples of a record's fields


async def usage_of(store: Store, name: str = ":usage") -> dict[int, int]:
    """The input tokens of our usage records by position: the last record of a run counts."""
    last = {record["run"]: record for record in await items_of(store, name)}
    spent: dict[int, int] = {}
    for record in last.values():
        position = record["position"]
        spent[position] = spent.get(position, 0) + record["input_tokens"]
    return spent


def dump(path: Path) -> list[str]:
    """All that is in the file."""
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())
