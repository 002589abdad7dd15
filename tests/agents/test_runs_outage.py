"""Runs during an outage of their database that lasts for a second."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import pytest

from tests.conversation.turns.leases import apart
from tests.sample_items import answer, user
from tests.servers.databases import MariaDBServer, PostgresServer
from turnlog import Agent, ModelRequest, ModelResponse, Runner, StoredSession
from turnlog.stores.sqlalchemy import SQLAlchemyStore

pytestmark = pytest.mark.anyio

SESSIONS = 8


@pytest.fixture(params=["own_postgres", "own_mariadb"])
def server(request: pytest.FixtureRequest) -> PostgresServer | MariaDBServer:
    server: PostgresServer | MariaDBServer = request.getfixturevalue(request.param)
    return server


class Quick:
    """A model that takes a moment."""

    async def respond(self, request: ModelRequest) -> ModelResponse:
        await asyncio.sleep(0.002)
        return ModelResponse([answer(request.items[-1]["content"])])


async def test_no_session_is_locked_and_no_turn_lost_by_an_outage(
    server: PostgresServer | MariaDBServer,
) -> None:
    store = SQLAlchemyStore.from_url(server.url(), patience=120)  # a busy machine starts it late
    store.lease_seconds = 600.0  # one that is left behind is not waited out
    await store.read(StoredSession("s0", store)._log())
    acknowledged: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    stopping = False

    async def talk(session: StoredSession) -> None:
        for number in itertools.count():
            while not stopping:
                try:
                    await Runner.run(Agent("A", model=Quick()), f"{number}", session=session)
                except Exception as error:  # noqa: BLE001 - the database is away
                    failed[type(error).__name__] += 1
                    await asyncio.sleep(0.05)
                else:
                    acknowledged[session.session_id] += 1
                    break
            if stopping:
                return

    sessions = [StoredSession(f"s{number}", store) for number in range(SESSIONS)]
    talking = [asyncio.create_task(talk(session)) for session in sessions]
    for _ in range(2):
        await _each_goes_on(sessions, acknowledged)
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(1.0)
        server.start()  # not on a thread: the kernel ends a server with the thread that started it
    await _each_goes_on(sessions, acknowledged)
    stopping = True
    await asyncio.gather(*talking)
    for session in sessions:
        await apart(_one_more(session))
    for session in sessions:
        _check(await session.get_items(), acknowledged[session.session_id])
    await store.aclose()
    assert not failed, failed


async def _each_goes_on(sessions: list[StoredSession], acknowledged: Counter[str]) -> None:
    """Wait until each session has had another turn: no outage and no lease keeps it out."""
    before = {session.session_id: acknowledged[session.session_id] for session in sessions}
    while any(acknowledged[name] == count for name, count in before.items()):  # noqa: ASYNC110 - of many tasks
        await asyncio.sleep(0.01)


async def _one_more(session: StoredSession) -> None:
    async with asyncio.timeout(60), session.turn("one more") as turn:
        await turn.add([answer("one more")])


def _check(items: list[Any], acknowledged: int) -> None:
    """Each question once and in order, each with its answer, and none missing."""
    *turns, last = [items[place : place + 2] for place in range(0, len(items), 2)]
    assert last == [user("one more"), answer("one more")]
    for number, turn in enumerate(turns):
        assert turn == [user(f"{number}"), answer(f"{number}")]
    assert len(turns) - acknowledged in {0, 1}
