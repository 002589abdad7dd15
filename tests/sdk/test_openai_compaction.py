"""`OpenAIResponsesCompactionSession` in the SDK's Runner, beside the SDK's own class."""

import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import agents
import pytest
from agents import (
    Agent,
    ModelSettings,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from agents.extensions.memory import EncryptedSession as TheirEncryptedSession
from agents.memory import OpenAIResponsesCompactionSession as Theirs
from openai import AsyncOpenAI

from tests.providers.openai_server import Failing, Reply, Server, serving
from tests.sample_items import answer, call, user
from tests.strangers import TALK, Stranger
from turnlog import EncryptedSession, OpenAIResponsesCompactionSession, StoredSession
from turnlog.extensions.memory import AsyncSQLiteSession
from turnlog.items.json import Item
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

SUMMARY: Item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}
KEY = "a key"


@pytest.fixture
def server() -> Iterator[Server]:
    set_tracing_disabled(disabled=True)
    with serving() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="key", base_url=server.url, max_retries=0) as client:
        yield client


def from_one_on(context: dict[str, Any]) -> bool:
    return len(context["compaction_candidate_items"]) >= 1


def says(text: str, number: int) -> Reply:
    return Reply([answer(text, id=f"msg_{number}", status="completed")])


def compacts(*texts: str, number: int = 1) -> Reply:
    return Reply([*map(user, texts), {**SUMMARY, "id": f"cmp_{number}"}])


@function_tool
def look() -> str:
    """Look."""
    return "seen"


@function_tool(needs_approval=True)
def reach() -> str:
    """Reach."""
    return "reached"


class Talk:
    """A conversation through the SDK's Runner."""

    def __init__(self, session: Any, server: Server, client: AsyncOpenAI) -> None:
        self.session, self.server, self.client = session, server, client

    async def ask(self, text: Any, *replies: Reply, streamed: bool = False, **settings: Any) -> Any:
        self.server.says(*replies)
        agent = Agent(
            "Assistant",
            model=OpenAIResponsesModel("gpt-4.1", self.client),
            tools=[look, reach],
            model_settings=ModelSettings(**settings),
        )
        given: Any = {"session": self.session, "run_config": RunConfig(tracing_disabled=True)}
        if not streamed:
            return await Runner.run(agent, text, **given)
        result = Runner.run_streamed(agent, text, **given)
        async for _ in result.stream_events():
            pass
        return result

    async def resume(self, result: Any, *replies: Reply, granted: bool) -> Any:
        """Decide on the calls that wait, and go on from the state of the run."""
        state = result.to_state()
        for interruption in state.get_interruptions():
            (state.approve if granted else state.reject)(interruption)
        return await self.ask(state, *replies)

    def compactions(self) -> list[Item]:
        return [each.body for each in self.server.requests if each.path.endswith("compact")]


Script = Callable[[Talk], Awaitable[None]]


async def two_turns(talk: Talk) -> None:
    await talk.ask("one", says("1", 1), compacts("one"))
    await talk.ask("two", says("2", 2), compacts("one", "two", number=2))


async def streamed(talk: Talk) -> None:
    await talk.ask("one", says("1", 1), compacts("one"), streamed=True)
    await talk.ask("two", says("2", 2), compacts("one", "two", number=2), streamed=True)


async def a_tool_in_the_turn(talk: Talk) -> None:
    calls = Reply([call("look", id="fc_1", status="completed")])
    await talk.ask("look", calls, says("I have", 1), compacts("look"))


async def a_turn_that_waits_for_approval(talk: Talk) -> None:
    calls = Reply([call("reach", id="fc_1", status="completed")])
    result = await talk.ask("reach", calls)
    assert result.interruptions


async def resumed(talk: Talk, *, granted: bool) -> None:
    await talk.ask("one", says("1", 1), compacts("one"))
    calls = Reply([call("reach", id="fc_1", status="completed")])
    result = await talk.ask("reach", calls)
    await talk.resume(result, says("done", 2), compacts("one", "reach", number=2), granted=granted)
    await talk.ask("three", says("3", 3), compacts("one", "three", number=3))


async def resumed_and_granted(talk: Talk) -> None:
    await resumed(talk, granted=True)


async def resumed_and_refused(talk: Talk) -> None:
    await resumed(talk, granted=False)


async def not_stored_by_openai(talk: Talk) -> None:
    await talk.ask("one", says("1", 1), compacts("one"), store=False)


async def behind_a_limit(talk: Talk) -> None:
    talk.session.underlying_session.session_settings = agents.SessionSettings(limit=2)
    await talk.session.underlying_session.add_items(copy.deepcopy(TALK))
    await talk.ask("three", says("3", 3), compacts("two", "three"))
    await talk.ask("four", says("4", 4), compacts("three", "four", number=2))


async def by_hand(talk: Talk) -> None:
    await talk.session.add_items(copy.deepcopy(TALK))
    talk.server.says(compacts("one", "two"))
    await talk.session.run_compaction({"force": True})


async def by_hand_after_a_response(talk: Talk) -> None:
    await talk.session.add_items(copy.deepcopy(TALK))
    talk.server.says(compacts("one", "two"), compacts("one", number=2), compacts("two", number=3))
    await talk.session.run_compaction({"response_id": "resp_1", "force": True, "store": True})
    await talk.session.run_compaction({"force": True})
    await talk.session.run_compaction({"store": False, "force": True})


async def items_that_were_not_shown(talk: Talk) -> None:
    """A filter of the input hides them, so that they must not be sent."""
    await talk.session.add_items([user("secret"), answer("ok")])
    talk.server.says(says("1", 1), compacts("one"))
    agent = Agent("Assistant", model=OpenAIResponsesModel("gpt-4.1", talk.client))

    def hide(data: Any) -> Any:
        data.model_data.input = data.model_data.input[-1:]
        return data.model_data

    config = RunConfig(tracing_disabled=True, call_model_input_filter=hide)
    await Runner.run(agent, "one", session=talk.session, run_config=config)


SCRIPTS = [
    two_turns,
    streamed,
    a_tool_in_the_turn,
    a_turn_that_waits_for_approval,
    resumed_and_granted,
    resumed_and_refused,
    not_stored_by_openai,
    behind_a_limit,
    by_hand,
    by_hand_after_a_response,
]


def inner_of(kind: str, path: Path) -> Any:
    match kind:
        case "theirs":
            return agents.SQLiteSession("user", path)
        case "sqlite":
            return AsyncSQLiteSession("user", path)
        case "stored":
            return StoredSession("user", MemoryStore())
    return Stranger("user", {})


async def closed(inner: Any) -> None:
    if hasattr(inner, "close") and (closing := inner.close()) is not None:
        await closing


@pytest.mark.parametrize("kind", ["theirs", "sqlite", "stored", "stranger"])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
async def test_the_history_is_that_of_the_sdks_own_class(
    script: Script, kind: str, tmp_path: Path, client: AsyncOpenAI, server: Server
) -> None:
    if kind == "stranger" and script is behind_a_limit:
        pytest.skip("it takes no settings")
    seen = []
    for number, (make, what) in enumerate(
        [(Theirs, "theirs"), (OpenAIResponsesCompactionSession, kind)]
    ):
        inner = inner_of(what, tmp_path / f"{number}.db")
        session: Any = make(
            "user", inner, client=client, model="gpt-4.1", should_trigger_compaction=from_one_on
        )
        server.requests.clear()
        talk = Talk(session, server, client)
        await script(talk)
        assert not server.script, "all replies were asked for"
        seen.append((await session.get_items(1000), talk.compactions()))
        await closed(inner)
    assert seen[1][0] == seen[0][0]
    # What OpenAI has not stored has no id that it would know: ours does not send it.
    forms = map(without_ids, seen[1][1]), map(without_ids, seen[0][1])
    is_unstored = script in (not_stored_by_openai, by_hand_after_a_response)
    assert ([*forms[0]] == [*forms[1]]) if is_unstored else seen[1][1] == seen[0][1]


def without_ids(body: Item) -> Item:
    items = body.get("input", [])
    dropped = {"id", "status"}
    return {
        **body,
        "input": [{k: v for k, v in each.items() if k not in dropped} for each in items],
    }


@pytest.mark.parametrize("kind", ["theirs", "sqlite", "stranger"])
async def test_what_the_model_has_not_seen_is_not_sent(
    kind: str, tmp_path: Path, client: AsyncOpenAI, server: Server
) -> None:
    inner = inner_of(kind, tmp_path / "c.db")
    session = OpenAIResponsesCompactionSession(
        "user", inner, client=client, model="gpt-4.1", should_trigger_compaction=from_one_on
    )
    talk = Talk(session, server, client)
    await items_that_were_not_shown(talk)
    # A session that can only be cleared and filled again is left as it is.
    asked = [[item["role"] for item in body["input"]] for body in talk.compactions()]
    assert asked == ([] if kind == "stranger" else [["user", "assistant"]])
    assert (await session.get_items(100))[:2] == [user("secret"), answer("ok")]
    await closed(inner)


# Around and inside of encryption


@pytest.mark.parametrize("kind", ["sqlite", "stored", "stranger", "theirs"])
@pytest.mark.parametrize("encrypted", [TheirEncryptedSession, EncryptedSession])
@pytest.mark.parametrize("is_around", [True, False])
async def test_with_encryption(
    kind: str, encrypted: Any, is_around: bool, tmp_path: Path, client: AsyncOpenAI, server: Server
) -> None:
    """The requests have plain items, and the store has envelopes only."""
    inner = inner_of(kind, tmp_path / "c.db")

    def compacting(session: Any) -> Any:
        return OpenAIResponsesCompactionSession(
            "user", session, client=client, model="gpt-4.1", should_trigger_compaction=from_one_on
        )

    session = (
        encrypted("user", compacting(inner), KEY)
        if is_around
        else compacting(encrypted("user", inner, KEY))
    )
    talk = Talk(session, server, client)
    await two_turns(talk)
    assert await session.get_items() == [user("one"), user("two"), {**SUMMARY, "id": "cmp_2"}]
    asked = talk.compactions()
    assert [each.get("previous_response_id") for each in asked] == ["resp_1", "resp_1"]
    server.says(compacts("by hand"))
    await session.run_compaction({"force": True, "compaction_mode": "input"})
    kinds = [item.get("type", "message") for item in talk.compactions()[-1]["input"]]
    assert kinds == ["message", "message", "compaction"]
    assert all("__enc__" in item for item in await inner.get_items(1000))
    assert await session.get_items() == [user("by hand"), SUMMARY]
    await closed(inner)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_missing_model_is_said_before_the_run(
    client: AsyncOpenAI, server: Server, streamed: bool
) -> None:
    inner = StoredSession("user", MemoryStore())
    session = OpenAIResponsesCompactionSession("user", inner, client=client)
    with pytest.raises(ValueError, match="model="):
        await Talk(session, server, client).ask("one", streamed=streamed)
    assert (await inner.get_items(), server.requests) == ([], [])


async def test_usage_is_added_to_the_run(client: AsyncOpenAI, server: Server) -> None:
    inner = StoredSession("user", MemoryStore())
    session = OpenAIResponsesCompactionSession(
        "user", inner, client=client, model="gpt-4.1", should_trigger_compaction=from_one_on
    )
    result = await Talk(session, server, client).ask("one", says("1", 1), compacts("one"))
    usage = result.context_wrapper.usage
    assert (usage.requests, len(usage.request_usage_entries)) == (2, 2)


async def test_a_request_that_fails_is_raised_and_nothing_is_lost(
    client: AsyncOpenAI, server: Server
) -> None:
    inner = StoredSession("user", MemoryStore())
    session = OpenAIResponsesCompactionSession(
        "user", inner, client=client, model="gpt-4.1", should_trigger_compaction=from_one_on
    )
    talk = Talk(session, server, client)
    server.says(says("1", 1), Failing(500))
    with pytest.raises(Exception, match="500"):
        await talk.ask("one")
    assert len(await session.get_items()) == 2
    await talk.ask("two", says("2", 2), compacts("one", "two"))
    assert len(await inner.history()) == 4
