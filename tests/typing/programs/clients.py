"""What sessions, turns and the converters give, taken by the providers' clients as it is."""

from typing import assert_type

from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from turnlog import (
    Item,
    ModelRequest,
    OpenAIConversationsSession,
    OpenAIResponsesCompactionSession,
    RunResult,
    SQLiteSession,
    StoredSession,
    TResponseInputItem,
)
from turnlog.convert import (
    anthropic_messages,
    chat_messages,
    items_from_anthropic,
    items_from_chat,
    responses_input,
)
from turnlog.sync import SQLiteSession as BlockingSQLiteSession


async def responses(client: AsyncOpenAI, session: StoredSession) -> None:
    async with session.turn("What's my name?") as turn:
        response = await client.responses.create(model="gpt-5-mini", input=turn.input)
        await turn.add(response.output, usage=response.usage)
    await client.responses.create(model="gpt-5-mini", input=await session.get_items())
    await client.responses.create(model="gpt-5-mini", input=await session.view(50))
    await client.responses.create(model="gpt-5-mini", input=await session.history())
    portable = responses_input(await session.view(), reasoning=False)
    await client.responses.create(model="gpt-5-mini", input=portable)
    items: list[Item] = [{"role": "user", "content": "My name is Alice."}]
    await client.responses.create(model="gpt-5-mini", input=responses_input(items))


async def responses_of_a_run(client: AsyncOpenAI, result: RunResult) -> None:
    await client.responses.create(model="gpt-5-mini", input=result.to_input_list())
    inputs = [item.to_input_item() for item in result.new_items]
    await client.responses.create(model="gpt-5-mini", input=inputs)


async def responses_in_a_model(client: AsyncOpenAI, request: ModelRequest) -> None:
    await client.responses.create(model="gpt-5-mini", input=request.items)


async def responses_of_wrappers(client: AsyncOpenAI, wrapped: SQLiteSession) -> None:
    compacting = OpenAIResponsesCompactionSession("user_123", wrapped, client=client, model="gpt-5")
    await client.responses.create(model="gpt-5-mini", input=await compacting.get_items())
    there = OpenAIConversationsSession(client=client)
    await client.responses.create(model="gpt-5-mini", input=await there.view())


async def chat(client: AsyncOpenAI, session: StoredSession) -> None:
    async with session.turn("What's my name?") as turn:
        messages = chat_messages(turn.input, instructions="Answer briefly.")
        response = await client.chat.completions.create(model="gpt-5-mini", messages=messages)
        await turn.add(items_from_chat([response.choices[0].message]), usage=response.usage)
    messages.append({"role": "user", "content": "And yours?"})
    await client.chat.completions.create(model="gpt-5-mini", messages=messages)


async def anthropic(client: AsyncAnthropic, session: StoredSession) -> None:
    async with session.turn("What's my name?") as turn:
        system, messages = anthropic_messages(turn.input, instructions="Answer briefly.")
        response = await client.messages.create(
            model="claude-sonnet-4-5", max_tokens=1000, system=system, messages=messages
        )
        await turn.add(items_from_anthropic(response.content), usage=response.usage)


def in_a_blocking_loop(client: OpenAI, session: BlockingSQLiteSession) -> str:
    with session.turn("What's my name?", key="request-7f3a") as turn:
        response = client.responses.create(model="gpt-5-mini", input=turn.input)
        turn.add(response.output, usage=response.usage)
        return response.output_text


def blocking(openai: OpenAI, claude: Anthropic, session: BlockingSQLiteSession) -> None:
    openai.responses.create(model="gpt-5-mini", input=session.view())
    openai.responses.create(model="gpt-5-mini", input=session.get_items())
    openai.responses.create(model="gpt-5-mini", input=session.history())
    messages = chat_messages(session.view())
    openai.chat.completions.create(model="gpt-5-mini", messages=messages)
    view = anthropic_messages(session.view())
    claude.messages.create(
        model="claude-sonnet-4-5", max_tokens=1000, system=view.system, messages=view.messages
    )


async def items_are_read(session: StoredSession) -> None:
    roles: list[str] = [item["role"] for item in await session.get_items()]
    newest = await session.pop_item()
    if newest is not None:
        roles.append(newest["content"])
    assert_type(await session.view(), list[TResponseInputItem])
