"""What people do with conversation memory, as they write it; only the import is ours."""

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fake_models import Echo
from tests.providers.openai_server import Reply, serving
from tests.sample_items import answer, user
from turnlog import (
    Agent,
    AsyncOpenAI,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    Session,
    SessionABC,
    SessionSettings,
    SQLiteSession,
    TResponseInputItem,
    function_tool,
)


def contents(items: list[Any]) -> list[object]:
    return [item["content"] for item in items]


# 1. Two turns in memory


def test_the_second_turn_is_shown_the_first() -> None:
    model = Echo()
    agent = Agent(name="Assistant", instructions="Reply very concisely.", model=model)
    session = SQLiteSession("conversation_123")
    Runner.run_sync(agent, "What city is the Golden Gate Bridge in?", session=session)
    result = Runner.run_sync(agent, "What state is it in?", session=session)
    assert result.final_output == "saw 3"
    assert model.requests[1].items == [
        user("What city is the Golden Gate Bridge in?"),
        answer("saw 1"),
        user("What state is it in?"),
    ]


# 2. A second process goes on

_TALK = """
import sys
from turnlog import Agent, Runner, SQLiteSession

session = SQLiteSession("user_123", "conversations.db")
print(Runner.run_sync(Agent(name="Assistant"), sys.argv[1], session=session).final_output)
"""


@pytest.mark.slow
def test_a_second_process_goes_on_with_the_conversation(tmp_path: Path) -> None:
    def talk(text: str) -> str:
        command = [sys.executable, "-c", _TALK, text]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    talk("My name is Alice and I love Python")
    assert "Alice" in talk("What's my name?")


# 3. Two users in one file


@pytest.mark.anyio
async def test_two_users_in_one_file(tmp_path: Path) -> None:
    model = Echo()
    agent = Agent(name="Assistant", model=model)
    session_1 = SQLiteSession("user_1", tmp_path / "conversations.db")
    session_2 = SQLiteSession("user_2", tmp_path / "conversations.db")
    await Runner.run(agent, "I like cats", session=session_1)
    await Runner.run(agent, "I like dogs", session=session_2)
    await Runner.run(agent, "What do I like?", session=session_1)
    assert "dogs" not in str(model.requests[2].items)
    assert contents(await session_2.get_items())[0] == "I like dogs"
    assert len(await session_2.get_items()) == 2


# 4. The four verbs


@pytest.mark.anyio
async def test_the_four_verbs() -> None:
    session = SQLiteSession("user_123", ":memory:")
    items: list[TResponseInputItem] = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi there!"},
        {"role": "user", "content": "How are you?"},
        {"role": "assistant", "content": "Fine."},
    ]
    await session.add_items(items)
    assert await session.get_items() == items
    assert await session.pop_item() == {"role": "assistant", "content": "Fine."}
    assert len(await session.get_items()) == 3
    await session.clear_session()
    assert len(await session.get_items()) == 0


# 5. The newest fifty


@pytest.mark.anyio
async def test_the_newest_fifty_of_a_long_conversation() -> None:
    session = SQLiteSession("user_123")
    await session.add_items([user(str(n)) for n in range(1000)])
    assert contents(await session.get_items(limit=50)) == [str(n) for n in range(950, 1000)]


# 6. A session object for each message


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
def test_a_support_bot_with_a_session_object_for_each_message(tmp_path: Path) -> None:
    agent, database = Agent(name="Support", model=Echo()), tmp_path / "support.db"

    def handle(customer_id: int, message: str) -> str:
        session = SQLiteSession(f"customer_{customer_id}", database)
        return str(Runner.run_sync(agent, message, session=session).final_output)

    handle(0, "hello")
    before = descriptors()
    for customer_id in range(2000):
        assert handle(customer_id, "hello") == ("saw 3" if customer_id == 0 else "saw 1")
    gc.collect()
    assert descriptors() <= before + 8
    assert handle(1999, "again") == "saw 3"


# 7. A callback


@pytest.mark.anyio
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_callback_that_keeps_the_last_ten(*, asynchronous: bool) -> None:
    def keep_recent_history(
        history: list[TResponseInputItem], new_input: list[TResponseInputItem]
    ) -> list[TResponseInputItem]:
        return history[-10:] + new_input

    async def keep_recent_history_async(
        history: list[TResponseInputItem], new_input: list[TResponseInputItem]
    ) -> list[TResponseInputItem]:
        return keep_recent_history(history, new_input)

    model, session = Echo(), SQLiteSession("user_123")
    chosen: Any = keep_recent_history_async if asynchronous else keep_recent_history
    config = RunConfig(session_input_callback=chosen)
    agent = Agent(name="Assistant", model=model)
    for n in range(9):
        await Runner.run(agent, f"question {n}", session=session, run_config=config)
    assert [len(request.items) for request in model.requests] == [1, 3, 5, 7, 9, 11, 11, 11, 11]
    assert len(await session.get_items()) == 18


# 8. Settings


@pytest.mark.anyio
async def test_settings_of_the_session_and_of_the_run() -> None:
    model = Echo()
    session = SQLiteSession("user_123", session_settings=SessionSettings(limit=10))
    await session.add_items([item for n in range(20) for item in (user(str(n)), answer(str(n)))])
    agent = Agent(name="Assistant", model=model)
    await Runner.run(agent, "hello", session=session)
    config = RunConfig(session_settings=SessionSettings(limit=4))
    await Runner.run(agent, "hello", session=session, run_config=config)
    assert [len(request.items) for request in model.requests] == [11, 5]
    assert len(await session.get_items()) == 10
    assert len(await session.get_items(limit=1000)) == 44


# 9. Session classes of one's own


class MyCustomSession:
    """A custom session implementation that follows the protocol."""

    session_settings: SessionSettings | None = None

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.items: list[TResponseInputItem] = []

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        return self.items[-limit:] if limit else list(self.items)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        self.items.extend(items)

    async def pop_item(self) -> TResponseInputItem | None:
        return self.items.pop() if self.items else None

    async def clear_session(self) -> None:
        self.items.clear()


class MySession(SessionABC):
    """One that inherits, and has three methods."""

    def __init__(self) -> None:
        self.items: list[TResponseInputItem] = []

    async def get_items(self) -> list[TResponseInputItem]:  # type: ignore[override]
        return list(self.items)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        self.items.extend(items)

    async def clear(self) -> None:
        self.items.clear()


@pytest.mark.anyio
@pytest.mark.parametrize("make", [lambda: MyCustomSession("my_session"), MySession])
async def test_sessions_of_ones_own(make: Any) -> None:
    session, model = make(), Echo()
    agent = Agent(name="Assistant", model=model)
    await Runner.run(agent, "Hello", session=session)
    result = await Runner.run(agent, "And?", session=session)
    assert result.final_output == "saw 3"
    assert len(session.items) == 4
    await session.clear_session()
    assert session.items == []


@pytest.mark.anyio
async def test_what_such_a_class_lacks_is_named() -> None:
    assert isinstance(MyCustomSession("a"), Session)
    with pytest.raises(NotImplementedError, match=r"MySession.*pop_item"):
        await MySession().pop_item()


# 10. Correcting a question


@pytest.mark.anyio
async def test_correcting_a_question() -> None:
    model, session = Echo(), SQLiteSession("correction_example")
    agent = Agent(name="Assistant", model=model)
    await Runner.run(agent, "What's 2 + 2?", session=session)
    assistant_item = await session.pop_item()
    user_item = await session.pop_item()
    assert (assistant_item, user_item) == (answer("saw 1"), user("What's 2 + 2?"))
    result = await Runner.run(agent, "What's 2 + 3?", session=session)
    assert result.final_output == "saw 1"
    assert contents(await session.get_items())[0] == "What's 2 + 3?"


# 11. Gemini over a conversation that OpenAI's Responses API began


@function_tool
def get_weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"The weather in {city} is sunny"


@pytest.mark.anyio
async def test_gemini_goes_on_with_a_conversation_of_the_responses_api() -> None:
    call = {"name": "get_weather", "arguments": '{"city":"Tokyo"}'}
    thought = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "sealed"}
    first_call = {"id": "fc_1", "type": "function_call", "call_id": "call_1", **call}
    said = {**answer("Sunny."), "id": "msg_1", "status": "completed"}
    second_call = {"id": "call_2", "type": "function", "function": call}
    session = SQLiteSession("user_123")
    with serving() as server:
        client = AsyncOpenAI(api_key="test", base_url=server.url)
        server.says(Reply([thought, first_call]), Reply([said]))
        server.says(Reply(message={"content": None, "tool_calls": [second_call]}))
        server.says(Reply(message={"content": "Still sunny."}), Reply([said]))
        openai = Agent("A", model=OpenAIResponsesModel("gpt-5", client), tools=[get_weather])
        await Runner.run(openai, "What's the weather in Tokyo?", session=session)
        gemini = Agent(
            name="Assistant",
            model=OpenAIChatCompletionsModel(model="gemini-2.5-flash", openai_client=client),
            tools=[get_weather],
        )
        result = await Runner.run(gemini, "And now?", session=session)
        assert result.final_output == "Still sunny."
        back = await Runner.run(openai, "And tomorrow?", session=session)
        assert back.final_output == "Sunny."
        await client.close()
        shown = server.requests[2].body["messages"]
    roles = [message["role"] for message in shown]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
    assert shown[2]["content"] == "The weather in Tokyo is sunny"
    kinds = [item.get("type", "message") for item in await session.get_items()]
    assert kinds == [
        *("message", "reasoning", "function_call", "function_call_output", "message"),
        *("message", "function_call", "function_call_output", "message"),
        *("message", "message"),
    ]


# 12. Agents that share a session


@pytest.mark.anyio
async def test_agents_that_share_a_session() -> None:
    class HandsOver(Echo):
        async def respond(self, request: Any) -> Any:
            response = await super().respond(request)
            if len(self.requests) == 1:
                call = {"call_id": "c1", "name": "transfer_to_billing_agent", "arguments": "{}"}
                response.output[:] = [{"type": "function_call", **call}]
            return response

    billing_model, session = Echo(), SQLiteSession("user_123")
    billing = Agent(name="Billing agent", instructions="Handle billing.", model=billing_model)
    support = Agent(name="Support agent", model=HandsOver(), handoffs=[billing])
    result = await Runner.run(support, "I was charged twice", session=session)
    assert result.last_agent is billing
    assert result.final_output == "saw 3"
    again = await Runner.run(support, "Thanks", session=session)
    assert again.final_output == "saw 5"
    assert again.last_agent is support
