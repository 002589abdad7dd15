"""OpenAI client of a conversation: the default one, and which errors are worth a retry."""

from __future__ import annotations

import json
import os
import sys
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING

from turnlog.loops.clients import Share, SharedClients

try:
    from openai import (
        APIConnectionError,
        APIError,
        APIResponseValidationError,
        APIStatusError,
        AsyncOpenAI,
        AuthenticationError,
        BadRequestError,
        NotFoundError,
        OpenAI,
        PermissionDeniedError,
    )
except ImportError as error:
    raise ImportError(
        "OpenAIConversationsSession needs the openai package: pip install 'turnlog[openai]'",
        name=error.name,
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "APIError",
    "AsyncOpenAI",
    "AuthenticationError",
    "BadRequestError",
    "Clients",
    "NotFoundError",
    "OpenAI",
    "PermissionDeniedError",
    "is_refusal",
    "is_transient",
    "retry_after",
]

_ADDRESS = "https://api.openai.com/v1"

#: The longest wait, in seconds, that a server may ask for.
_LONGEST_WAIT = 60.0

#: What may have been done although it failed, beside 5xx: timeout, conflict, rate limit.
_TRANSIENT = frozenset({408, 409, 429})


def is_transient(error: Exception) -> bool:
    """Whether the same request may succeed later. It may also have been carried out already."""
    if isinstance(error, APIStatusError) and not isinstance(error, APIResponseValidationError):
        return error.status_code in _TRANSIENT or error.status_code >= 500  # noqa: PLR2004 - HTTP
    lost = APIConnectionError, APIResponseValidationError, json.JSONDecodeError
    return isinstance(error, lost)


def is_refusal(error: Exception) -> bool:
    """Whether the server has said that it did not carry out the request."""
    return isinstance(error, APIStatusError) and not is_transient(error)


def retry_after(error: Exception) -> float:
    """The seconds that the server asks to wait for; 0 if it doesn't say."""
    response = getattr(error, "response", None)
    if response is None:
        return 0.0
    asked = _seconds(response.headers.get("retry-after-ms"), 1000)
    if asked is None:
        asked = _seconds(response.headers.get("retry-after"))
    return min(max(asked or 0.0, 0.0), _LONGEST_WAIT)


def _seconds(text: str | None, per_second: int = 1) -> float | None:
    if not text:
        return None
    try:
        return float(text) / per_second
    except ValueError:
        return _until(text)


def _until(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - time()
    except ValueError:
        return None


class Clients:
    """The client that was given; else the SDK's default, else one for each event loop.

    The last one is made from OPENAI_API_KEY and OPENAI_BASE_URL, shared by all sessions of the
    loop, and closed with them.
    """

    def __init__(self, given: AsyncOpenAI | None) -> None:
        self._given = given if given is not None else _default_of_sdk()
        self._own: Share[str, AsyncOpenAI] | None = None

    def here(self) -> AsyncOpenAI:
        """The client to use on the running loop."""
        if self._given is not None:
            return self._given
        if self._own is None:
            # A variable that is set and empty counts as not set.
            self._own = _shared.share(os.environ.get("OPENAI_BASE_URL") or _ADDRESS)
        return self._own.here()


def _default_of_sdk() -> AsyncOpenAI | None:
    """The client of `agents.set_default_openai_client`, if the SDK is loaded and has one."""
    shared = sys.modules.get("agents.models._openai_shared")
    get: Callable[[], AsyncOpenAI | None] | None = getattr(
        shared, "get_default_openai_client", None
    )
    return None if get is None else get()


def _made(address: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=address)


async def _close(client: AsyncOpenAI) -> None:
    await client.close()


_shared: SharedClients[str, AsyncOpenAI] = SharedClients(_made, _close)
