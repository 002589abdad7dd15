"""Sessions of ours and of the OpenAI Agents SDK, made in the same way."""

import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import agents
import pytest

import turnlog
from turnlog import StoredSession
from turnlog.stores.memory import MemoryStore

__all__ = [
    "ALL",
    "FILES",
    "OURS",
    "Make",
    "close",
    "kind",
    "make",
    "maker",
    "numbered",
    "path",
    "session",
    "some",
]


Make = Callable[..., Any]

OURS = ["file", "memory", "async file", "async memory", "stored"]

ALL = [*OURS, "sdk file", "sdk memory"]

FILES = ["file", "async file"]


def maker(kind: str, path: Path) -> Make:
    """What makes sessions of `kind`, of id "a" unless told; those in a file share it."""
    classes: dict[str, tuple[Make, object]] = {
        "file": (turnlog.SQLiteSession, path),
        "memory": (turnlog.SQLiteSession, ":memory:"),
        "async file": (turnlog.AsyncSQLiteSession, path),
        "async memory": (turnlog.AsyncSQLiteSession, ":memory:"),
        "stored": (StoredSession, MemoryStore()),
        "sdk file": (agents.SQLiteSession, path),
        "sdk memory": (agents.SQLiteSession, ":memory:"),
    }
    make, where = classes[kind]
    return lambda session_id="a", **more: make(session_id, where, **more)


@pytest.fixture(params=ALL)
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of session, unless a test asks for some only."""
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.db"


@pytest.fixture
async def make(kind: str, path: Path) -> AsyncIterator[Make]:
    made = []

    def make_and_remember(*args: Any, **more: Any) -> Any:
        made.append(maker(kind, path)(*args, **more))
        return made[-1]

    yield make_and_remember
    for session in made:
        await close(session)


@pytest.fixture
def session(make: Make) -> Any:
    return make()


async def close(session: Any) -> None:
    closing = session.close() if hasattr(session, "close") else None
    if inspect.isawaitable(closing):
        await closing


def some(kinds: list[str]) -> pytest.MarkDecorator:
    """Only sessions of these kinds."""
    return pytest.mark.parametrize("kind", kinds)


def numbered(count: int, first: int = 0) -> list[Any]:
    return [{"role": "user", "content": f"{n}"} for n in range(first, first + count)]
