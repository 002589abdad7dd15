"""OpenAI's compaction, through the real client: requests, summaries, and who is shown them."""

import json
from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI, BadRequestError

from tests.fake_models import Echo
from tests.items.test_shortening import talk
from tests.providers.openai_events import compacted
from tests.providers.openai_server import Failing, Raw, Reply, Server
from tests.sample_items import answer, call, user
from turnlog import (
    Agent,
    Compaction,
    Item,
    OpenAICompaction,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    StoredSession,
    Usage,
)
from turnlog.agents.bounding import reads_compaction
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

SEALED: Item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}
QUESTION: Item = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "q0"}],
}
AT_OPENAI = "https://api.openai.com/v1"


@pytest.fixture
async def session() -> AsyncIterator[StoredSession]:
    async with MemoryStore() as store:
        session = StoredSession("s", store)
        await session.add_items(talk(4))
        yield session


async def test_a_session_is_compacted_by_the_endpoint(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    server.says(Reply([QUESTION, {**SEALED, "created_by": None}]))
    whole = await session.view()
    done = await session.compact(OpenAICompaction("gpt-4.1", client, instructions="Be brief."))
    assert done is not None
    assert done.items == [QUESTION, SEALED]
    [request] = server.requests
    assert request.path.endswith("/responses/compact")
    assert request.body["model"] == "gpt-4.1"
    assert request.body["instructions"] == "Be brief."
    assert len(request.body["input"]) == 8
    assert (await session.view(settings={"reads_compaction": True}))[:2] == [QUESTION, SEALED]
    assert await session.view() == whole
    spent = (await session.usage("agent"))["compaction"]
    assert spent.requests == 1
    assert spent.input_tokens > 0


async def test_the_next_compaction_is_given_the_one_before(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    server.says(Reply([SEALED]), Reply([{**SEALED, "id": "cmp_2"}]))
    await session.compact(OpenAICompaction("gpt-4.1", client))
    await session.add_items(talk(6)[16:])
    await session.compact(OpenAICompaction("gpt-4.1", client))
    first = server.requests[1].body["input"][0]
    assert (first["type"], first["encrypted_content"]) == ("compaction", "sealed")


@pytest.mark.parametrize(("failures", "works"), [(2, True), (3, False)])
async def test_passing_failures_are_tried_three_times(
    session: StoredSession,
    server: Server,
    client: AsyncOpenAI,
    monkeypatch: pytest.MonkeyPatch,
    failures: int,
    works: bool,
) -> None:
    monkeypatch.setattr("turnlog.conversation.compaction.tries._DELAY", 0.001)
    server.says(*[Failing(status) for status in (500, 429, 503)[:failures]], Reply([SEALED]))
    compaction = Compaction(OpenAICompaction("gpt-4.1", client), max_turns=2)
    agent = Agent("A", model=Echo())
    config = RunConfig(compaction=compaction)
    result = await Runner.run(agent, "q", session=session, run_config=config)
    assert result.final_output
    assert result.compaction is not None
    assert (result.compaction.result is not None) == works
    assert result.compaction.failure == ("" if works else "InternalServerError")
    assert len(server.requests) == 3


async def test_a_refusal_is_raised_at_once(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    server.says(Failing(400))
    with pytest.raises(BadRequestError):
        await session.compact(OpenAICompaction("gpt-4.1", client))
    assert len(server.requests) == 1
    assert await session.get_items() == await session.history()


def body(**fields: object) -> Raw:
    return Raw(json.dumps({**compacted([SEALED]), **fields}).encode())


IMAGE: Item = {"type": "input_image", "image_url": None, "file_id": None, "detail": "auto"}


@pytest.mark.parametrize(
    ("reply", "told", "requests"),
    [
        (Reply([]), "nothing that stands for the answers", 1),
        (Reply([QUESTION]), "nothing that stands for the answers", 1),
        (Reply([{**QUESTION, "content": [IMAGE]}, SEALED]), "input_image without", 1),
        (body(output=None), "output is null, not a list", 1),
        (body(output=["x"]), "an item of the response is text", 1),
        (body(output=[{}]), "type is null", 1),
        (body(output=["x"], usage=[1]), "an item of the response is text", 0),
        (Raw(b"<html>"), "not JSON", 0),
        (Raw(b"[]"), "a list, not a JSON object", 0),
        (Raw(b'{"error": {"message": "secret", "code": "bad"}}'), "reported an error: bad", 0),
    ],
    ids=[
        "no items",
        "questions only",
        "an image that is nowhere",
        "no list",
        "a text",
        "no type",
        "no cost that can be read",
        "HTML",
        "a list",
        "an error",
    ],
)
async def test_answers_of_no_use_change_nothing_and_were_paid_for(
    session: StoredSession,
    server: Server,
    client: AsyncOpenAI,
    reply: Reply | Raw,
    told: str,
    requests: int,
) -> None:
    server.says(reply)
    with pytest.raises(ValueError, match=told) as raised:
        await session.compact(OpenAICompaction("gpt-4.1", client))
    assert "secret" not in str(raised.value)
    assert await session.get_items() == await session.history()
    assert (await session.usage()).requests == requests


@pytest.mark.parametrize("usage", [None, {"input_tokens": "x"}, [1], {}], ids=str)
async def test_a_cost_that_can_not_be_read_spoils_no_summary(
    session: StoredSession, server: Server, client: AsyncOpenAI, usage: object
) -> None:
    server.says(body(usage=usage))
    done = await session.compact(OpenAICompaction("gpt-4.1", client))
    assert done is not None
    assert (done.items, done.usage) == ([SEALED], None)


async def test_a_call_without_output_is_repaired(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    server.says(Reply([call("look", 1), SEALED]))
    done = await session.compact(OpenAICompaction("gpt-4.1", client))
    assert done is not None
    assert [item["type"] for item in done.items] == [
        "function_call",
        "compaction",
        "function_call_output",
    ]


async def test_a_streamed_run_is_compacted_too(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    server.says(Reply([answer("hello")]), Reply([SEALED]), Reply([answer("again")]), Failing(400))
    agent = Agent("A", model=OpenAIResponsesModel("gpt-4.1", client))
    compaction = Compaction(OpenAICompaction("gpt-4.1", client), max_turns=2)
    config = RunConfig(compaction=compaction)
    for failure in ("", "BadRequestError"):
        run = Runner.run_streamed(agent, "q", session=session, run_config=config)
        events = [event async for event in run]
        assert events
        assert run.compaction is not None
        assert (run.compaction.result is None) == bool(failure)
        assert run.compaction.failure == failure
        await session.drop_summary()
    assert [each.path.rpartition("/")[2] for each in server.requests] == [
        *("responses", "compact", "responses", "compact")
    ]


async def test_only_openai_reads_what_it_has_sealed(client: AsyncOpenAI) -> None:
    config = RunConfig()
    async with AsyncOpenAI(api_key="k", base_url=AT_OPENAI) as at_openai:
        own = Agent("own", model=OpenAIResponsesModel("gpt-4.1", at_openai))
        other = Agent("other", model=OpenAIResponsesModel("gpt-4.1", client))
        assert reads_compaction(own, config)
        assert not reads_compaction(other, config)
        assert not reads_compaction(own.clone(handoffs=[other]), config)
        assert not reads_compaction(own.clone(handoffs=[own.clone(handoffs=[other])]), config)
        assert not reads_compaction(own, RunConfig(model=Echo()))
        assert reads_compaction(other, RunConfig(model=own.model))
        own.handoffs = [own]
        assert reads_compaction(own, config)


async def test_runs_show_compaction_items_to_those_who_can_read_them() -> None:
    class Reading(Echo):
        reads_compaction = True

    items = [user("q1"), answer("a1"), user("q2"), SEALED, answer("a2")]
    for model, shown in [
        (Reading(), [SEALED, answer("a2")]),
        (Echo(), [item for item in items if item != SEALED]),
    ]:
        session = StoredSession("s", MemoryStore())
        await session.add_items(items)
        await Runner.run(Agent("A", model=model), "q3", session=session)
        [request] = model.requests
        assert request.items == [*shown, user("q3")]
        assert (await session.history())[:5] == items


async def test_usage_of_a_sealed_summary_is_kept_with_it(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    server.says(Reply([SEALED]))
    done = await session.compact(OpenAICompaction("gpt-4.1", client))
    assert done is not None
    assert done.usage is not None
    assert (await session.usage()) != Usage()
    assert done.model == "gpt-4.1"
