"""Second handles: a tool that opens its own session by another name belongs to the run.

A call under way is never shown as interrupted through it, and it never waits for its own run.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from tests.conversation.turns.leases import apart
from tests.fake_models import Script
from tests.sample_items import answer, call, output, user
from tests.servers.process import HOST
from turnlog import Agent, RunConfig, Runner, StoredSession, function_tool, open_store
from turnlog.conversation.turns.policy import Policy
from turnlog.items.json import Item
from turnlog.items.repair import INTERRUPTED
from turnlog.records import Log
from turnlog.store import Layer, Store
from turnlog.sync.loop import run
from turnlog.sync.session import BlockingSession
from turnlog.testing import Failing

pytestmark = pytest.mark.anyio

CALL = call("look_around")
NOTE: Item = {"role": "developer", "content": "from the tool"}

#: Names of one database: that of the run, and that of its tool.
NAMES = {
    "sqlite": [
        ("{folder}/a.db", "{folder}/link.db"),
        ("{folder}/link.db", "{folder}/folder/../a.db"),
        ("{folder}/hard.db", "sqlite:///{folder}/a.db"),
        ("{folder}/a.db", "sqlite:///{folder}/b/a.db?timeout=5"),
        ("{folder}/a.db", "sqlite+aiosqlite:///{folder}/link.db"),
        ("sqlite+aiosqlite:///{folder}/link.db", "sqlite+aiosqlite:///{folder}/folder/../a.db"),
        ("sqlite+aiosqlite:///{folder}/a.db", "sqlite+aiosqlite:///file:{folder}/a.db?uri=true"),
    ],
    "postgres": [
        ("{url}", "{localhost}"),
        ("{url}", "{psycopg}"),
        ("{localhost}", "{psycopg}?application_name=tool"),
    ],
    "mariadb": [("{url}", "{localhost}")],
    "redis": [
        ("{url}?prefix=p", "{localhost}?prefix=p"),
        ("{url}?prefix=p", "{url}?ttl=600&prefix=p&timeout=5"),
    ],
}


class Handles(NamedTuple):
    """Two stores on one database."""

    of_the_run: Store
    of_the_tool: Store


def _stored(request: pytest.FixtureRequest, folder: Path) -> dict[str, str]:
    """What the names of a kind are made of."""
    kind = request.param[0]
    if kind == "sqlite":
        (folder / "folder").mkdir()
        (folder / "b").symlink_to(folder)
        (folder / "a.db").touch()
        (folder / "link.db").symlink_to(folder / "a.db")
        (folder / "hard.db").hardlink_to(folder / "a.db")
        return {"folder": str(folder)}
    server = request.getfixturevalue(kind)
    url = server.url if kind == "redis" else server.url(server.fresh_database())
    localhost = url.replace(HOST, "localhost")
    psycopg = url.replace("postgresql+asyncpg", "postgresql+psycopg")
    return {"url": url, "localhost": localhost, "psycopg": psycopg}


@pytest.fixture(params=[(kind, *names) for kind, pairs in NAMES.items() for names in pairs])
async def handles(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Handles]:
    """The same database by two names."""
    _, *names = request.param
    stored = _stored(request, tmp_path)
    first, second = (open_store(name.format(**stored)) for name in names)
    async with first, second:
        yield Handles(first, second)
        await first.delete("session")


async def looked_around(handles: Handles, look: Callable[[StoredSession], Awaitable[None]]) -> None:
    """Run an agent whose tool does `look` to a session of its own."""

    @function_tool(failure_error_function=None)
    async def look_around() -> str:
        await look(StoredSession("session", handles.of_the_tool))
        return "seen"

    agent = Agent("A", model=Script([CALL], [answer("done")]), tools=[look_around])
    session = StoredSession("session", handles.of_the_run)
    async with asyncio.timeout(60):  # it would wait for itself for ever
        await Runner.run(agent, "go", session=session)
    assert await handles.of_the_run.read(Log("session").beside("lease")) == []
    assert await handles.of_the_run.read(Log("session").beside("queue")) == []


async def items_of(handles: Handles) -> list[Item]:
    return await StoredSession("session", handles.of_the_run).get_items()


async def test_a_call_under_way_is_not_interrupted(handles: Handles) -> None:
    async def look(session: StoredSession) -> None:
        layered = StoredSession("session", Failing(Layer(session.store)))
        for each in (session, layered):
            assert await each.get_items() == [user("go"), CALL]
            assert await each.view() == [user("go")]
            assert [each.item for each in (await each.explain()).shown] == [user("go")]

    await looked_around(handles, look)
    assert await items_of(handles) == [user("go"), CALL, output(), answer("done")]


async def test_an_outsider_is_shown_that_the_call_has_no_output(handles: Handles) -> None:
    """Else the test above would prove nothing."""

    async def look(session: StoredSession) -> None:
        view = await apart(session.view())
        assert [item.get("output") for item in view] == [None, None, INTERRUPTED]

    await looked_around(handles, look)


async def test_a_tool_writes_to_its_own_session(handles: Handles) -> None:
    async def write(session: StoredSession) -> None:
        await session.add_items([NOTE, user("wrong")])
        assert await session.pop_item() == user("wrong")

    await looked_around(handles, write)
    assert await items_of(handles) == [user("go"), CALL, NOTE, output(), answer("done")]


async def test_a_tool_clears_its_own_session(handles: Handles) -> None:
    await looked_around(handles, StoredSession.clear_session)
    assert await items_of(handles) == [output(), answer("done")]


@pytest.mark.parametrize("policy", get_args(Policy))
async def test_a_run_of_a_tool_on_its_own_session_never_waits(
    handles: Handles, policy: Policy
) -> None:
    async def ask(session: StoredSession) -> None:
        inner = Agent("B", model=Script([answer("inner")]))
        config = RunConfig(session_policy=policy)
        result = await Runner.run(inner, "ask", session=session, run_config=config)
        assert result.branch == "main"
        async with session.turn("by hand", policy=policy) as turn:
            await turn.add([answer("too")])

    await looked_around(handles, ask)
    inner = [user("ask"), answer("inner"), user("by hand"), answer("too")]
    assert await items_of(handles) == [user("go"), CALL, *inner, output(), answer("done")]


async def test_a_tool_in_a_thread_uses_a_blocking_session(handles: Handles) -> None:
    @function_tool(failure_error_function=None)
    def look_around() -> str:
        session = StoredSession("session", handles.of_the_tool)
        assert run(session.view) == [user("go")]
        BlockingSession(session).add_items([NOTE])
        inner = Agent("B", model=Script([answer("inner")]))
        Runner.run_sync(inner, "ask", session=session)
        return "seen"

    agent = Agent("A", model=Script([CALL], [answer("done")]), tools=[look_around])
    async with asyncio.timeout(60):  # it would wait for itself for ever
        await Runner.run(agent, "go", session=StoredSession("session", handles.of_the_run))
    inner = [NOTE, user("ask"), answer("inner")]
    assert await items_of(handles) == [user("go"), CALL, *inner, output(), answer("done")]
