"""Streamed runs: what can be watched, and what leaving a stream keeps."""

from collections.abc import AsyncGenerator

import pytest

from tests.agents.runs import weather
from tests.fake_models import Script
from tests.sample_items import answer, call, output, user
from turnlog import (
    Agent,
    ModelRequest,
    RawResponsesStreamEvent,
    RunConfig,
    RunItemStreamEvent,
    Runner,
    StoredSession,
    TextDelta,
)
from turnlog.agents.models.model import ModelEvent

pytestmark = pytest.mark.anyio


async def test_what_can_be_watched(session: StoredSession) -> None:
    asked = call("weather", arguments='{"city": "Oslo"}')
    agent = Agent("A", model=Script([asked], [answer("it is raining")]), tools=[weather])
    result = Runner.run_streamed(agent, "weather?", session=session)
    seen: list[str] = []
    async for event in result.stream_events():
        match event.type:
            case "raw_response_event":
                seen.append(event.data.delta)
            case "run_item_stream_event":
                seen.append(event.item.type)
    expected = ["tool_call_item", "tool_call_output_item", "it", "is", "raining"]
    assert seen == [*expected, "message_output_item"]
    assert result.is_complete
    assert result.final_output == "it is raining"
    assert [event async for event in result] == []


@pytest.mark.parametrize("after", range(6))
async def test_leaving_a_stream_cancels_it_and_keeps_what_happened(
    session: StoredSession, after: int
) -> None:
    asked = call("weather", arguments='{"city": "Oslo"}')
    told = output("rain in Oslo")
    full = [user("weather?"), asked, told, answer("it is raining")]
    agent = Agent("A", model=Script([asked], [answer("it is raining")]), tools=[weather])
    events = Runner.run_streamed(agent, "weather?", session=session).stream_events()
    async for _ in events:
        if after == 0:
            break
        after -= 1
    await events.aclose()
    stored = await session.get_items()
    assert stored == full[: len(stored)]
    assert stored
    # The session is free at once, and the conversation goes on.
    config = RunConfig(session_policy="reject")
    more = Agent("A", model=Script([answer("more")]), tools=[weather])
    assert (await Runner.run(more, "and?", session=session, run_config=config)).final_output


async def test_a_stream_that_is_cancelled_ends(session: StoredSession) -> None:
    agent = Agent("A", model=Script([answer("it is raining")]))
    result = Runner.run_streamed(agent, "weather?", session=session)
    seen = 0
    async for event in result.stream_events():
        assert isinstance(event, RawResponsesStreamEvent)
        assert event.data.type == "response.output_text.delta"
        seen += 1
        result.cancel()
    assert seen == 1
    assert result.final_output is None
    assert await session.get_items() == [user("weather?")]


async def test_what_happens_has_the_names_that_users_of_the_sdk_know() -> None:
    asked = call("weather", arguments='{"city": "Oslo"}')
    second = Agent("B", model=Script([answer("done")]))
    first = Agent(
        "A", model=Script([asked], [call("transfer_to_b", 2)]), tools=[weather], handoffs=[second]
    )
    events = [event async for event in Runner.run_streamed(first, "go")]
    names = [event.name for event in events if isinstance(event, RunItemStreamEvent)]
    assert names == [
        *("tool_called", "tool_output", "handoff_requested", "handoff_occured"),
        "message_output_created",
    ]


async def test_an_error_of_a_stream_reaches_who_watches(session: StoredSession) -> None:
    class Breaks(Script):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
            yield TextDelta("half")
            raise ConnectionError("cut off")

    result = Runner.run_streamed(Agent("A", model=Breaks()), "go", session=session)
    with pytest.raises(ConnectionError, match="cut off"):
        async for _ in result:
            pass
    assert await session.get_items() == [user("go")]
