"""Names of a file: links and relative paths, also in forked processes."""

import asyncio
import multiprocessing
from pathlib import Path

import pytest

from tests.sample_items import answer
from turnlog import (
    Agent,
    Item,
    ModelRequest,
    ModelResponse,
    Runner,
    SQLiteSession,
    function_tool,
)
from turnlog.records import Log
from turnlog.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.anyio


async def _filled(path: Path, count: int = 5) -> SQLiteSession:
    session = SQLiteSession("session", path)
    for number in range(count):
        await session.add_items([{"n": number}])
    return session


async def test_the_same_file_is_the_same_place_under_every_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.db"
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.db").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    names: list[str | Path] = ["file.db", "./file.db", "folder/../file.db", "link.db", path]
    assert len({SQLiteStore(name).identity for name in names}) == 1
    session = await _filled(path)
    (tmp_path / "hard.db").hardlink_to(path)
    places = {SQLiteStore(name).identity for name in [*names, "hard.db"]}
    assert places == {SQLiteStore(path).identity}
    assert SQLiteStore("other.db").identity not in places
    assert session.store.identity in places
    for name in ("hard.db", "link.db"):
        await SQLiteSession("session", name).add_items([{"by": name}])
    impatient = SQLiteStore("hard.db", patience=1)
    assert len(await impatient.read(Log("session"))) == 7
    assert impatient.identity in places
    await impatient.aclose()
    assert len(await session.get_items()) == 7
    await session.store.aclose()
    assert not (tmp_path / "hard.db-wal").exists()


class Once:
    """A model that calls a tool once, and then answers."""

    def __init__(self, call: Item) -> None:
        self._left = [[call], [answer("fine")]]

    async def respond(self, _request: ModelRequest) -> ModelResponse:
        return ModelResponse(self._left.pop(0))


@pytest.mark.parametrize("name", ["link.db", "folder/../file.db", "hard.db"])
async def test_a_tool_with_another_handle_belongs_to_the_run(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file.db"
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.db").symlink_to(path)
    session = await _filled(path, 1)
    (tmp_path / "hard.db").hardlink_to(path)
    seen: list[list[Item]] = []

    @function_tool
    async def look() -> str:
        """Look at the conversation."""
        other = SQLiteSession("session", tmp_path / name)
        await other.add_items([{"role": "user", "content": "from the tool"}])
        seen.append(await other.view())
        return "done"

    call = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    agent = Agent("A", model=Once(call), tools=[look])
    await asyncio.wait_for(Runner.run(agent, "go", session=session), 200)
    assert not any("interrupted" in str(item) for item in seen[0])
    assert "from the tool" in str(await session.get_items())


def test_each_conversation_in_memory_is_a_place_of_its_own() -> None:
    assert SQLiteSession("a").store.identity != SQLiteSession("a").store.identity


# Forks

_shared: list[SQLiteSession] = []


def _add_one(number: int) -> None:
    asyncio.run(_shared[0].add_items([{"n": number % 40}], key=f"key-{number % 40}"))


def test_a_pool_of_forked_processes_stores_each_write_once(tmp_path: Path) -> None:
    session = asyncio.run(_filled(tmp_path / "file.db", 1))
    _shared[:] = [session]
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(_add_one, range(80), chunksize=1)
    _shared.clear()
    found = [item["n"] for item in asyncio.run(session.get_items())[1:]]
    assert sorted(found) == list(range(40))
