"""The things that the mistakes of `mistakes.txt` are made with: one of each kind."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any

import agents as sdk
import openai
import redis
import redis.asyncio
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import sessionmaker

import turnlog
import turnlog.sync
from tests.fake_models import Echo
from tests.sample_items import answer, user
from turnlog.items.json import Item

__all__ = ["World"]


def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


def respond(request: object) -> str:
    """A function where a model belongs."""
    return str(request)


class Blocking:
    """A model without `async`."""

    def respond(self, request: object) -> str:
        return str(request)


class Answering:
    """A model that returns what it was made with."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    async def respond(self, request: object) -> object:
        return self.answer


async def streamed() -> AsyncIterator[Item]:
    yield user("hi")


#: A type checker doesn't know them, since they depend on the extras that are installed.
NAMES: list[str] = import_module("turnlog").__all__


class World:
    """Sessions, agents and clients of this library and of others. No file is made for them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack
        self.model = Echo()
        #: In a file, which is made with the first write.
        self.session = turnlog.SQLiteSession("user_123", "conversations.db")
        #: In memory, with one turn.
        self.memory = turnlog.SQLiteSession("user_123")
        self.names: dict[str, Any] = {name: getattr(turnlog, name) for name in NAMES}

    async def prepare(self) -> None:
        async with self.memory.turn("hi") as ended:
            await ended.add([answer("hello")])
        async with self.memory.turn("once", key="order 5") as first:
            await first.add([answer("done")])
        answered = await self.stack.enter_async_context(self.memory.turn("once", key="order 5"))
        result = await turnlog.Runner.run(turnlog.Agent("helper", model=Echo()), "hi")
        closed = turnlog.SQLiteSession("user_123", "conversations.db")
        closed.close()
        store = turnlog.open_store("memory://")
        await store.aclose()
        engine = create_async_engine("sqlite+aiosqlite:///conversations.db")
        self.names |= {
            "sdk": sdk,
            "sync": turnlog.sync,
            "agent": turnlog.Agent("helper", model=self.model),
            "sdk_agent": sdk.Agent(name="helper"),
            "sdk_tool": sdk.function_tool(weather),
            "sdk_model": sdk.OpenAIChatCompletionsModel(
                "gpt-5-mini", openai.AsyncOpenAI(api_key="x")
            ),
            "weather": weather,
            "Blocking": Blocking,
            "Answering": Answering,
            "respond": respond,
            "items": streamed,
            "session": self.session,
            "memory": self.memory,
            "ended": ended,
            "answered": answered,
            "result": result,
            "closed": closed,
            "closed_store": store,
            "store": turnlog.open_store("memory://"),
            "engine": engine,
            "maker": sessionmaker(),
            "client": redis.asyncio.Redis(),
            "blocking_client": redis.Redis(),
            "openai_client": openai.AsyncOpenAI(api_key="x"),
            "blocking_openai": openai.OpenAI(api_key="x"),
        }
