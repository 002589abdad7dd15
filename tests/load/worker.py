"""One worker of the chat service, a program.

    python -m tests.load.worker PORT STORE MODEL RUNNER

STORE: the URL of the store. MODEL: the base URL of the model. RUNNER: "ours", or "sdk", which is
the SDK's Runner inside of `session.held(…)`.

POST /USER with {"text", "key"} streams the answer in lines; the last line of a whole one is "done".
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Protocol

import agents
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI
from openai.types.responses import ResponseTextDeltaEvent

from turnlog import (
    Agent,
    OpenAIChatCompletionsModel,
    RawResponsesStreamEvent,
    Runner,
    Store,
    StoredSession,
    open_store,
)

#: Nobody waits so long: a dead holder has to be recognised.
LEASE_SECONDS = 600.0


class Answering(Protocol):
    """Asks the agent, and gives the answer piece by piece."""

    def __call__(
        self, session: StoredSession, text: str, key: str
    ) -> AsyncGenerator[str, None]: ...


def by_ours(client: AsyncOpenAI) -> Answering:
    agent = Agent("Assistant", model=OpenAIChatCompletionsModel("m", client))

    async def answer(session: StoredSession, text: str, key: str) -> AsyncGenerator[str, None]:
        result = Runner.run_streamed(agent, text, session=session, key=key)
        async with aclosing(result.stream_events()) as events:
            async for event in events:
                if isinstance(event, RawResponsesStreamEvent):
                    yield event.data.delta

    return answer


def by_sdk(client: AsyncOpenAI) -> Answering:
    agents.set_tracing_disabled(disabled=True)
    model = agents.OpenAIChatCompletionsModel("m", client)
    agent = agents.Agent("Assistant", model=model)

    async def answer(session: StoredSession, text: str, key: str) -> AsyncGenerator[str, None]:
        async with session.held(key=key) as held:
            if held.is_replay:
                yield held.text
                return
            result = agents.Runner.run_streamed(agent, text, session=session)
            try:
                async for event in result.stream_events():
                    data = event.data if event.type == "raw_response_event" else None
                    if isinstance(data, ResponseTextDeltaEvent):
                        yield data.delta
            finally:
                result.cancel()

    return answer


RUNNERS = {"ours": by_ours, "sdk": by_sdk}


def service(store: Store, answer: Answering) -> FastAPI:
    app = FastAPI()

    @app.post("/{user}")
    async def ask(user: str, request: Request) -> StreamingResponse:
        body: dict[str, Any] = await request.json()
        session = StoredSession(user, store)
        return StreamingResponse(_lines(answer(session, body["text"], body["key"])))

    return app


async def _lines(pieces: AsyncGenerator[str, None]) -> AsyncIterator[str]:
    async with aclosing(pieces) as answer:
        async for piece in answer:
            yield f"{piece}\n"
    yield "done\n"


async def main(port: str, store: str, model: str, runner: str) -> None:
    async with (
        open_store(store, lease_seconds=str(LEASE_SECONDS)) as opened,
        AsyncOpenAI(api_key="k", base_url=model, max_retries=0) as client,
    ):
        app = service(opened, RUNNERS[runner](client))
        await uvicorn.Server(uvicorn.Config(app, port=int(port), log_level="critical")).serve()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
