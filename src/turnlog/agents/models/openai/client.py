"""OpenAI clients: the `openai` package, and the default client of each event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from turnlog.agents.models.environment import address
from turnlog.agents.models.openai.answers import reading
from turnlog.items.given import given

try:
    from openai import APIConnectionError, AsyncOpenAI, BadRequestError, OpenAI
except ImportError as error:
    raise ImportError(
        "models behind OpenAI's APIs need the openai package: pip install 'turnlog[openai]'",
        name=error.name,
    ) from error

__all__ = ["AsyncOpenAI", "BadRequestError", "asking", "check_arguments", "default_client"]

_FORM = 'OpenAIResponsesModel("gpt-5-mini", AsyncOpenAI())'

_Keeper = AsyncGenerator[AsyncOpenAI, None]

_kept: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[AsyncOpenAI, _Keeper]] = (
    WeakKeyDictionary()
)


def check_arguments(model: object, client: object, api: str) -> None:
    """Raise `TypeError` unless `model` is a name, and `client` None or a client that is awaited.

    api: the attribute of the client that is used, which a mock must have.
    """
    if not isinstance(model, str):
        raise TypeError(
            f"the name of a model must be a str, not {given(model)}: it comes first, as in {_FORM}"
        )
    if client is None:
        return
    if isinstance(client, OpenAI):
        raise TypeError(
            f"this {type(client).__name__} blocks: make an AsyncOpenAI, or the class of its "
            f"provider whose name begins with Async"
        )
    if isinstance(client, str | type) or not hasattr(client, api):
        cure = (
            "a URL is given as AsyncOpenAI(base_url=…)"
            if isinstance(client, str)
            else f"write {_FORM}"
        )
        raise TypeError(f"openai_client must be an AsyncOpenAI, not {given(client)}: {cure}")


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


@contextmanager
def asking(client: AsyncOpenAI) -> Iterator[None]:
    """Within, an answer that is no JSON raises `ModelBehaviorError`.

    The client's error for a server that can't be reached gets a note with its address.
    """
    with reading():
        try:
            yield
        except APIConnectionError as error:
            error.add_note(_note(client))
            raise


def _note(client: AsyncOpenAI) -> str:
    url = urlsplit(str(client.base_url))
    server = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
    return (
        f"{server} can't be reached, tried {client.max_retries + 1} times: is the server running, "
        f"and is this its address? It is the client's base_url, or OPENAI_BASE_URL"
    )


async def _keep(loop: asyncio.AbstractEventLoop) -> _Keeper:
    # A loop that shuts down closes its async generators, and nothing else that could be ours.
    client = AsyncOpenAI(base_url=address())
    try:
        yield client
    finally:
        _kept.pop(loop, None)
        await client.close()
