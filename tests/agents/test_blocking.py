"""Streamed runs without an event loop: what is seen, and what leaving early keeps."""

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Generator

import pytest

from tests.agents.runs import weather
from tests.fake_models import Script
from tests.sample_items import answer, call, user
from tests.sync.calls import in_thread, interrupt_main
from turnlog import Agent, ModelRequest, ModelResponse, OfflineModel, Runner, TextDelta, sync
from turnlog.agents.events import StreamEvent
from turnlog.agents.models.model import ModelEvent, ResponseDone
from turnlog.stores.memory import MemoryStore


@pytest.fixture
def session() -> sync.StoredSession:
    return sync.StoredSession("s", MemoryStore())


class Slow:
    """A model that says one word, and the rest when it is let."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.was_cancelled = False

    async def stream(self, _request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        yield TextDelta("Well")
        try:
            await asyncio.to_thread(self.may_end.wait)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        finally:
            self.may_end.set()
        yield ResponseDone(ModelResponse([answer("Well, yes")]))

    async def respond(self, request: ModelRequest) -> ModelResponse:
        raise NotImplementedError


def test_what_can_be_watched(session: sync.StoredSession) -> None:
    asked = call("weather", arguments='{"city": "Oslo"}')
    agent = Agent("A", model=Script([asked], [answer("it is raining")]), tools=[weather])
    seen: list[str] = []
    with sync.run_streamed(agent, "weather?", session=session) as stream:
        for event in stream:
            if event.type == "raw_response_event":
                seen.append(event.data.delta)
            elif event.type == "run_item_stream_event":
                seen.append(event.item.type)
        assert list(stream) == []
    expected = ["tool_call_item", "tool_call_output_item", "it", "is", "raining"]
    assert seen == [*expected, "message_output_item"]
    assert stream.is_complete
    assert stream.final_output == "it is raining"
    assert stream.new_items[0].type == "tool_call_item"
    assert stream.last_agent is agent
    assert stream.usage == stream.result.usage
    assert len(stream.to_input_list()) == len(session.get_items()) == 4


def test_errors_of_the_run_are_raised(session: sync.StoredSession) -> None:
    class Away:
        async def respond(self, _request: ModelRequest) -> ModelResponse:
            raise ConnectionError("the model is away")

    with (
        sync.run_streamed(Agent("A", model=Away()), "hi", session=session) as stream,
        pytest.raises(ConnectionError, match="the model is away"),
    ):
        list(stream)


def test_leaving_early_cancels_and_frees_the_session(session: sync.StoredSession) -> None:
    slow = Slow()
    with sync.run_streamed(Agent("A", model=slow), "hm?", session=session) as stream:
        assert next(stream).type == "raw_response_event"
    assert slow.was_cancelled
    assert stream.is_complete
    assert session.get_items() == [user("hm?")]
    with session.turn("now", policy="reject") as turn:
        turn.add([answer("yes")])


def test_closing_before_anything_was_read(session: sync.StoredSession) -> None:
    stream = sync.run_streamed(Agent("A", model=Slow()), "hm?", session=session)
    stream.close()
    stream.close()
    assert stream.is_complete
    assert list(stream) == []


def test_another_thread_may_close_it(session: sync.StoredSession) -> None:
    slow = Slow()
    stream = sync.run_streamed(Agent("A", model=slow), "hm?", session=session)
    next(stream)
    closing = in_thread(stream.close)
    assert list(stream) == []
    closing.join()
    assert slow.was_cancelled


def test_an_interrupt_cancels_it(
    session: sync.StoredSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, begun = Slow(), threading.Event()
    stream = sync.run_streamed(Agent("A", model=slow), "hm?", session=session)
    next(stream)
    following = stream._next

    async def begins() -> StreamEvent:
        begun.set()
        return await following()

    def interrupt() -> None:
        begun.wait()
        interrupt_main()

    monkeypatch.setattr(stream, "_next", begins)
    interrupting = in_thread(interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    interrupting.join()
    assert slow.was_cancelled
    assert stream.is_complete


def test_the_response_of_a_server(session: sync.StoredSession) -> None:
    """As a framework for WSGI reads it: lines of a generator, which it closes."""

    def lines(question: str) -> Generator[str, None, None]:
        agent = Agent("A", model=OfflineModel())
        with sync.run_streamed(agent, question, session=session) as stream:
            for event in stream:
                if event.type == "raw_response_event":
                    yield event.data.delta

    assert "Alice" in "".join(lines("My name is Alice."))
    response = lines("What's my name?")
    next(response)
    response.close()
    assert "Alice" in "".join(lines("What's my name?"))


@pytest.mark.anyio
async def test_in_a_running_loop_it_refuses() -> None:
    with pytest.raises(RuntimeError, match=r"write Runner\.run_streamed"):
        sync.run_streamed(Agent("A"), "hi")


def test_it_has_the_parameters_of_the_awaited_one() -> None:
    ours, theirs = inspect.signature(sync.run_streamed), inspect.signature(Runner.run_streamed)
    assert {**ours.parameters} == {**theirs.parameters}


def test_a_stream_with_a_key_is_answered_once(session: sync.StoredSession) -> None:
    agent = Agent("A", model=Script([answer("once")]))
    for is_replay in (False, True):
        with sync.run_streamed(agent, "hi", session=session, key="request-1") as stream:
            list(stream)
        assert (stream.final_output, stream.result.is_replay) == ("once", is_replay)
