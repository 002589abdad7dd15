"""Runs: their results, events and items, as a type checker narrows them."""

from dataclasses import dataclass
from typing import assert_type

from turnlog import (
    Agent,
    AgentUpdatedStreamEvent,
    FunctionTool,
    HandoffOutputItem,
    Item,
    MessageOutputItem,
    ModelRequest,
    ModelResponse,
    RawResponsesStreamEvent,
    RunConfig,
    RunContextWrapper,
    RunItem,
    RunItemStreamEvent,
    Runner,
    RunResult,
    RunResultStreaming,
    SessionSettings,
    SQLiteSession,
    StreamEvent,
    TextDelta,
    ToolCallItem,
    ToolCallOutputItem,
    TResponseInputItem,
    Usage,
    function_tool,
    handoff,
)


@dataclass
class Customer:
    """The context of the runs below."""

    name: str


@dataclass
class Forecast:
    """An answer."""

    degrees: int


@function_tool
def weather(city: str) -> str:
    """Tells the weather in a city."""
    return f"It rains in {city}."


@function_tool(name_override="name_of_customer", strict_mode=False)
async def customer_name(ctx: RunContextWrapper[Customer]) -> str:
    """Tells the name of the customer."""
    return ctx.context.name


def instructions(ctx: RunContextWrapper[Customer], agent: Agent[Customer]) -> str:
    return f"You talk to {ctx.context.name}."


def keep_last_10(
    history: list[TResponseInputItem], new: list[TResponseInputItem]
) -> list[TResponseInputItem]:
    return history[-10:] + new


async def one_message(
    history: list[TResponseInputItem], new: list[TResponseInputItem]
) -> list[TResponseInputItem]:
    return new[-1:]


class Echo:
    """A model of one's own."""

    async def respond(self, request: ModelRequest) -> ModelResponse:
        said = str(request.items[-1]["content"])
        text: Item = {"type": "output_text", "text": said, "annotations": []}
        return ModelResponse([{"type": "message", "role": "assistant", "content": [text]}], Usage())


def tools() -> None:
    assert_type(weather, FunctionTool)
    assert_type(customer_name, FunctionTool)
    assert_type(function_tool(lambda: "now", name_override="now"), FunctionTool)


def agents() -> Agent[Customer]:
    billing = Agent[Customer]("Billing", instructions=instructions, model=Echo())
    billing = billing.clone(tools=[weather, customer_name])
    assert_type(billing, Agent[Customer])
    assert_type(Agent("Assistant", "Answer briefly.", handoffs=[handoff(billing)]).name, str)
    return Agent("Support", instructions=instructions, handoffs=[billing], output_type=Forecast)


async def results() -> None:
    agent, session = Agent("Assistant", model=Echo()), SQLiteSession("user_123")
    config = RunConfig(
        session_input_callback=keep_last_10,
        session_settings=SessionSettings(limit=10),
        session_policy="reject",
    )
    result = await Runner.run(agent, "Hi", session=session, run_config=config, max_turns=None)
    assert_type(result, RunResult)
    assert_type(result.new_items, list[RunItem])
    assert_type(result.final_output_as(str), str)
    assert_type(result.final_output_as(Forecast, raise_if_incorrect_type=False), Forecast)
    assert_type(result.usage.total_tokens, int)
    again = await Runner.run(agent, [*result.to_input_list(), {"role": "user", "content": "So?"}])
    await Runner.run(agent, again.input, run_config=RunConfig(session_input_callback=one_message))
    for item in result.new_items:
        by_type(item)
        by_class(item)


async def with_context() -> None:
    agent = Agent[Customer]("Assistant", instructions=instructions, model=Echo())
    await Runner.run(agent, "Hi", context=Customer("Alice"))
    await Runner.run(Agent("Assistant", model=Echo()), "Hi", context={"any": "thing"})
    session = SQLiteSession("user_123")
    keyed = await Runner.run(Agent("A", model=Echo()), "Hi", session=session, key="request-7f3a")
    assert_type(keyed.is_replay, bool)
    await Runner.run(starting_agent=Agent("Assistant", model=Echo()), input="Hi")


def blocking() -> None:
    assert_type(Runner.run_sync(Agent("Assistant", model=Echo()), "Hi"), RunResult)


def by_type(item: RunItem) -> str | None:
    if item.type == "tool_call_item":
        assert_type(item, ToolCallItem)
        return item.tool_name
    if item.type == "tool_call_output_item":
        assert_type(item, ToolCallOutputItem)
        return item.call_id
    if item.type == "message_output_item":
        assert_type(item, MessageOutputItem)
        return item.text
    match item.type:
        case "handoff_output_item":
            assert_type(item, HandoffOutputItem)
            return item.source_agent.name
        case "reasoning_item" | "handoff_call_item" | "item":
            return str(item.raw_item.get("id"))


def by_class(item: RunItem) -> str | None:
    if isinstance(item, ToolCallItem):
        return item.tool_name
    if isinstance(item, MessageOutputItem):
        return item.text
    return None


async def events() -> None:
    result = Runner.run_streamed(Agent("Assistant", model=Echo()), "Hi")
    assert_type(result, RunResultStreaming)
    async for event in result.stream_events():
        of_type(event)
        of_class(event)
    async for event in result:
        assert_type(event, StreamEvent)
    assert_type(result.new_items, list[RunItem])


def of_type(event: StreamEvent) -> str:
    if event.type == "raw_response_event":
        assert_type(event, RawResponsesStreamEvent)
        assert_type(event.data, TextDelta)
        return event.data.delta
    if event.type == "run_item_stream_event":
        assert_type(event, RunItemStreamEvent)
        if event.item.type == "message_output_item":
            return event.item.text
        return event.name
    assert_type(event, AgentUpdatedStreamEvent)
    return event.new_agent.name


def of_class(event: StreamEvent) -> str:
    match event:
        case RawResponsesStreamEvent(data=data):
            return data.delta
        case RunItemStreamEvent(item=MessageOutputItem() as message):
            return message.text
        case RunItemStreamEvent():
            return event.item.type
        case AgentUpdatedStreamEvent():
            return event.new_agent.name


async def main() -> None:
    """All of it that asks nobody."""
    tools()
    agents()
    await results()
    await with_context()
    await events()


async def of_another_context() -> None:
    """What is wrong with it is marked; both checkers say if a mark has nothing to mark."""
    agent = Agent[Customer]("Assistant", instructions=instructions, model=Echo())
    await Runner.run(agent, "Hi", context=3)  # type: ignore[misc] # pyright: ignore[reportArgumentType]
    await Runner.run(agent, 3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await Runner.run(agent, "Hi", sesion=None)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
