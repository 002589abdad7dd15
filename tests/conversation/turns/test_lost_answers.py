"""Lost acknowledgements: a run's write that happened is not done twice."""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest

from tests.conversation.turns.leases import names
from tests.fake_models import Echo, Script
from tests.sample_items import answer, call, output, user
from tests.servers.process import HOST
from tests.servers.proxy import Proxy
from turnlog import Agent, Runner, Store, StoredSession, function_tool
from turnlog.changes import Change, Committed
from turnlog.stores.redis import RedisStore
from turnlog.stores.sqlalchemy import SQLAlchemyStore
from turnlog.testing import Failing, Failure

pytestmark = pytest.mark.anyio


class Lookup:
    """A tool that counts how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def agent(self) -> Agent[Any]:
        @function_tool
        def look() -> str:
            """Look."""
            self.calls += 1
            return "seen"

        model = Script([call("look")], [answer("done")])
        return Agent("A", model=model, tools=[look])


WHOLE = [user("go"), call("look"), output("seen"), answer("done")]


@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("nth", range(4))
async def test_a_write_that_fails_once_is_tried_again_and_happens_once(
    any_store: Store, nth: int, *, happened: bool
) -> None:
    """The question, the call, the output, the answer."""
    session, lookup = (
        StoredSession("session", OneFails(any_store, nth, happened=happened)),
        Lookup(),
    )
    result = await Runner.run(lookup.agent(), "go", session=session)
    assert result.final_output == "done"
    assert await session.get_items() == WHOLE
    assert lookup.calls == 1
    assert await any_store.read(session._log().beside("lease")) == []


class OneFails(Failing):
    """A layer in which one write to the conversation fails."""

    def __init__(self, inner: Store, nth: int, *, happened: bool) -> None:
        super().__init__(inner)
        self._numbers = count()
        self._nth = nth
        self._failure = Failure(OSError("cut off"), happened)

    async def commit(self, session: str, changes: Sequence[Change], **options: Any) -> Committed:
        if "main" in names(changes) and next(self._numbers) == self._nth:
            self.plan = lambda _verb: self._failure
        try:
            return await super().commit(session, changes, **options)
        finally:
            self.plan = lambda _verb: None


async def test_an_error_that_stays_reaches_the_caller(any_store: Store) -> None:
    bad = Failing(any_store)
    session = StoredSession("session", bad)
    async with session.turn("go") as turn:
        bad.plan = lambda verb: Failure(OSError("cut off")) if verb == "commit" else None
        with pytest.raises(OSError, match="cut off"):
            await turn.add([answer("done")])
    assert await session.get_items() == [user("go")]


async def test_parallel_tools_whose_answers_are_lost(any_store: Store) -> None:
    class Every(Failing):
        """Every write to the conversation happens, and the answer to its first try is lost."""

        async def commit(
            self, session: str, changes: Sequence[Change], **options: Any
        ) -> Committed:
            done = await self.inner.commit(session, changes, **options)
            key = options.get("key")
            if "main" in names(changes) and key not in seen:
                seen.add(key)
                raise OSError("cut off")
            return done

    seen: set[Any] = set()

    @function_tool
    async def look() -> str:
        """Look."""
        return "seen"

    calls = [call("look", number) for number in range(5)]
    session = StoredSession("session", Every(any_store))
    agent = Agent("A", model=Script(calls, [answer("done")]), tools=[look])
    await Runner.run(agent, "go", session=session)
    items = await session.get_items()
    assert [items[0], *items[-1:]] == [user("go"), answer("done")]
    assert sorted(item["call_id"] for item in items[6:-1]) == [f"call_{n}" for n in range(5)]


@pytest.mark.parametrize("kind", ["postgres", "mariadb", "redis"])
async def test_the_line_is_cut_behind_the_answer(kind: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(kind)
    with Proxy(server.port) as proxy:
        async with through(proxy, kind, server) as store:
            session = StoredSession("session", store)
            await Runner.run(Agent("A", model=Echo()), "warm up", session=session)
            for words in (b"the question", b"call_1", b"seen it", b"the very end"):
                await run_with_a_cut(proxy, words, session)


async def run_with_a_cut(proxy: Proxy, words: bytes, session: StoredSession) -> None:
    called = 0

    @function_tool
    async def look() -> str:
        """Look."""
        nonlocal called
        called += 1
        return "seen it"

    model = Script([call("look")], [answer("the very end")])
    before, lost = len(await session.get_items()), proxy.lost
    proxy.lose_the_reply_to(words)
    async with asyncio.timeout(20):
        result = await Runner.run(
            Agent("A", model=model, tools=[look]), "the question", session=session
        )
    assert result.final_output == "the very end"
    assert proxy.lost == lost + 1, "the answer was not lost"
    items = (await session.get_items())[before:]
    assert items == [user("the question"), call("look"), output("seen it"), answer("the very end")]
    assert called == 1
    assert await session.store.read(session._log().beside("lease")) == []


def through(proxy: Proxy, kind: str, server: Any) -> Store:
    if kind == "redis":
        return RedisStore.from_url(f"redis://{HOST}:{proxy.port}/0", key_prefix="lost-answers")
    url = server.url(server.fresh_database()).replace(f":{server.port}/", f":{proxy.port}/")
    return SQLAlchemyStore.from_url(url)
