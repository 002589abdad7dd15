"""The SDK's compaction wrapper around our sessions, on every store: atomic, and nothing lost."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from agents import Agent, OpenAIResponsesModel, RunConfig, Runner, set_tracing_disabled
from agents.memory import OpenAIResponsesCompactionSession
from openai import AsyncOpenAI

from tests.providers.openai_server import Failing, Reply, Server, serving
from tests.sample_items import answer, user
from turnlog import Store, StoredSession
from turnlog.items.json import Item
from turnlog.records import Log
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing as FailingStore
from turnlog.testing import Failure, first_calls_of

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.stores("memory", "sqlite", "postgres", "redis", "dapr"),
]

TALK = [user("one"), answer("1"), user("two"), answer("2")]
SUMMARY: Item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}


@pytest.fixture
def server() -> Iterator[Server]:
    set_tracing_disabled(disabled=True)
    with serving() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="key", base_url=server.url, max_retries=0) as client:
        yield client


@pytest.fixture
async def session(any_store: Store) -> StoredSession:
    """With a title and another branch."""
    other = StoredSession("user", any_store, branch="other")
    await other.add_items([user("elsewhere")])
    await any_store.annotate(Log("user"), b'{"title": "T"}')
    return StoredSession("user", any_store)


def wrapped(session: Any, client: AsyncOpenAI, at: int = 1, **options: Any) -> Any:
    def is_time(context: dict[str, Any]) -> bool:
        return len(context["compaction_candidate_items"]) >= at

    return OpenAIResponsesCompactionSession(
        "user", session, client=client, should_trigger_compaction=is_time, **options
    )


def says(text: str, number: int) -> Reply:
    item = answer(text, id=f"msg_{number}", status="completed")
    return Reply([item])


async def ask(text: str, session: Any, client: AsyncOpenAI) -> None:
    agent = Agent("Assistant", model=OpenAIResponsesModel("gpt-4.1", client))
    await Runner.run(agent, text, session=session, run_config=RunConfig(tracing_disabled=True))


async def check_rest(session: StoredSession) -> None:
    """The title and the other branch are still there."""
    heads = {head.log.name: head for head in await session.store.logs("user")}
    assert heads["main"].note == b'{"title": "T"}'
    assert heads["other"].length == 1


def paths(server: Server) -> list[str]:
    return [request.path.removeprefix("/v1/") for request in server.requests]


async def test_by_hand(session: StoredSession, server: Server, client: AsyncOpenAI) -> None:
    await session.add_items(TALK)
    server.says(Reply([user("one"), user("two"), SUMMARY]))
    await wrapped(session, client).run_compaction({"force": True, "compaction_mode": "input"})
    assert server.requests[0].body["input"] == TALK
    assert await session.get_items() == [user("one"), user("two"), SUMMARY]
    await check_rest(session)


async def test_by_hand_while_others_write(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    """What was added during the request stays, also in a second compaction."""
    await session.add_items(TALK)
    wrapper = wrapped(session, client)
    for number in (1, 2):
        await wrapper.add_items([user(f"own {number}")])
        client.responses.compact = answered_while(session, f"theirs {number}")  # type: ignore[method-assign]
        await wrapper.run_compaction({"force": True, "compaction_mode": "input"})
    assert await session.get_items() == [SUMMARY, user("theirs 1"), user("theirs 2")]
    await check_rest(session)


def answered_while(session: StoredSession, text: str) -> Any:
    class Compacted:
        output = (SUMMARY,)
        usage = None

    async def compact(**_: object) -> Compacted:
        await StoredSession("user", session.store).add_items([user(text)])
        return Compacted()

    return compact


async def test_by_the_runner(session: StoredSession, server: Server, client: AsyncOpenAI) -> None:
    wrapper = wrapped(session, client)
    for number in (1, 2):
        server.says(
            says(f"answer {number}", number), Reply([user("q"), {**SUMMARY, "id": f"c{number}"}])
        )
        await ask(f"question {number}", wrapper, client)
        assert await session.get_items() == [user("q"), {**SUMMARY, "id": f"c{number}"}]
    assert paths(server) == ["responses", "responses/compact"] * 2
    await check_rest(session)


async def test_by_the_runner_behind_history_that_the_model_has_not_seen(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    """Only what the model has seen is replaced."""
    await session.add_items(TALK)
    session.session_settings = {"limit": 2}
    server.says(says("3", 3), Reply([user("two"), user("three"), SUMMARY]))
    await ask("three", wrapped(session, client), client)
    asked = server.requests[1].body["input"]
    assert [item["role"] for item in asked] == ["user", "assistant", "user", "assistant"]
    assert await session.get_items(-1) == [*TALK[:2], user("two"), user("three"), SUMMARY]
    await check_rest(session)


async def test_by_the_runner_while_others_write(
    session: StoredSession, server: Server, client: AsyncOpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    """The history is left as it is, and the wrapper says so."""
    server.says(says("answer", 1))
    wrapper = wrapped(session, client)
    client.responses.compact = answered_while(session, "theirs")  # type: ignore[method-assign]
    await ask("question", wrapper, client)
    texts = [item["content"] for item in await session.get_items()]
    assert [texts[0], texts[2]] == ["question", "theirs"]
    assert "the stored suffix changed" in caplog.text
    await check_rest(session)


async def test_the_compaction_request_fails(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    await session.add_items(TALK)
    server.says(Failing(500))
    with pytest.raises(Exception, match="500"):
        await wrapped(session, client).run_compaction({"force": True, "compaction_mode": "input"})
    assert await session.get_items() == TALK


@pytest.mark.stores("memory")
@pytest.mark.parametrize("happened", [False, True])
async def test_the_replacement_fails(
    any_store: MemoryStore, server: Server, client: AsyncOpenAI, happened: bool
) -> None:
    """The old history or the new one is there, and a second attempt succeeds."""
    failing = FailingStore(any_store)
    session = StoredSession("user", failing)
    await session.add_items(TALK)
    wrapper = wrapped(session, client)
    server.says(*[Reply([SUMMARY])] * 2)
    lost = Failure(ConnectionError("lost"), happened=happened)
    failing.plan = first_calls_of("commit", lost, lost)  # it is tried once more
    with pytest.raises(ConnectionError):
        await wrapper.run_compaction({"force": True, "compaction_mode": "input"})
    assert await session.get_items() == ([SUMMARY] if happened else TALK)
    await wrapper.run_compaction({"force": True, "compaction_mode": "input"})
    assert await session.get_items() == [SUMMARY]
