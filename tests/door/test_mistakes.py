"""Mistakes at the door: each gets one error with cause and cure, and nothing is written."""

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

import turnlog
import turnlog.sync
from tests.door.world import World
from turnlog import Agent, OfflineModel, Runner

pytestmark = pytest.mark.anyio

TABLE = Path(__file__).with_name("mistakes.txt")


class Mistake(NamedTuple):
    code: str
    error: str
    text: str


def _mistakes() -> Iterator[Mistake]:
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    told = iter(filter(None, lines))
    for code in told:
        error, _, text = next(told).strip().partition(": ")
        yield Mistake(code, error, text)


MISTAKES = list(_mistakes())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_table_has_sixty_mistakes_and_more() -> None:
    assert len(MISTAKES) == len({mistake.code for mistake in MISTAKES})
    assert len(MISTAKES) >= 60


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.code for mistake in MISTAKES])
async def test_a_mistake_is_told_with_its_cure_and_nothing_is_written(
    mistake: Mistake, folder: Path
) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack)
        await world.prepare()
        before = await world.memory.get_items()
        with pytest.raises(Exception) as caught:  # noqa: PT011 - compared below
            await _made(mistake.code, world)
        assert (type(caught.value).__name__, str(caught.value)) == (mistake.error, mistake.text)
        assert "s3cret" not in repr(caught.value)
        assert not list(folder.iterdir()), "a file was made"
        assert await world.memory.get_items() == before
        assert not world.model.requests, "the model was asked"


async def _made(code: str, world: World) -> None:
    made = eval(code, world.names)  # noqa: S307 - the table is ours
    if inspect.isawaitable(made):
        await made


def test_a_streamed_run_without_a_loop_names_the_cure(folder: Path) -> None:
    agent = Agent("helper", model=OfflineModel())
    session = turnlog.SQLiteSession("user_123", "conversations.db")
    with pytest.raises(RuntimeError) as caught:
        Runner.run_streamed(agent, "hi", session=session)
    assert str(caught.value) == (
        "Runner.run_streamed needs a running event loop: call it inside of an `async def` that "
        "asyncio.run(…) runs, or use Runner.run_sync, which blocks and does not stream"
    )
    assert not list(folder.iterdir())


def test_a_blocking_run_takes_the_agent_by_the_name_that_the_sdk_has_for_it() -> None:
    agent = Agent("helper", model=OfflineModel())
    result = Runner.run_sync(starting_agent=agent, input="hi")
    assert result.last_agent is agent


async def test_awaited_and_streamed_runs_take_that_name_too() -> None:
    agent = Agent("helper", model=OfflineModel())
    assert (await Runner.run(starting_agent=agent, input="hi")).last_agent is agent
    streaming = Runner.run_streamed(starting_agent=agent, input="hi")
    assert [event async for event in streaming]
    assert streaming.last_agent is agent


async def test_a_path_that_looks_like_an_id_is_taken_where_a_file_is(folder: Path) -> None:
    """Somebody may have swapped them once, and has stored something there since."""
    (folder / "user_123").touch()
    session = turnlog.SQLiteSession("conversations.db", "user_123")
    await session.add_items([{"role": "user", "content": "hi"}])
    assert await session.get_items() == [{"role": "user", "content": "hi"}]
    session.close()
    with turnlog.sync.SQLiteSession("./new", session_id="conversations.db") as meant:
        await asyncio.to_thread(meant.add_items, [{"role": "user", "content": "hi"}])
    assert (folder / "new").exists()
