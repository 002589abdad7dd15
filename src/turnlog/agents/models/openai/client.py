"""OpenAI clients: the `openai` package, and the default client of each event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from weakref import WeakKeyDictionary

from turnlog.agents.models.environment import address

try:
    from openai import AsyncOpenAI, BadRequestError
except ImportError as error:
    raise ImportError(
        "models behind OpenAI's APIs need the openai package: pip install 'turnlog[openai]'",
        name=error.name,
    ) from error

__all__ = ["AsyncOpenAI", "BadRequestError", "default_client"]

_Keeper = AsyncGenerator[AsyncOpenAI, None]

_kept: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[AsyncOpenAI, _Keeper]] = (
    WeakKeyDictionary()
)


async def default_client() -> AsyncOpenAI:
    """A client from OPENAI_API_KEY, OPENAI_BASE_URL and the like, made on first use.

    There is one for each event loop, since its connections belong to the loop that opened
    them. It is closed when the loop shuts down, as `asyncio.run` does at its end.
    """
    loop = asyncio.get_running_loop()
    kept = _kept.get(loop)
    if kept is None:
        keeper = _keep(loop)
        kept = _kept[loop] = (await anext(keeper), keeper)
    return kept[0]


async def _keep(loop: asyncio.AbstractEventLoop) -> _Keeper:
    # A loop that shuts down closes its async generators, and nothing else that could be ours.
    client = AsyncOpenAI(base_url=address())
    try:
        yield client
    finally:
        _kept.pop(loop, None)
        await client.close()
