"""Hints for errors of the API: notes that name the cure, on the client's own errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from turnlog.sessions.conversations.client import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
)

__all__ = ["hinted"]

_HINTS: dict[type[Exception], str] = {
    NotFoundError: (
        "the conversation was deleted, or its id belongs to another project: clear_session() "
        "forgets the id, and the next write creates another conversation"
    ),
    AuthenticationError: (
        "what is stored stays, and the same session goes on once its client has a valid key: set "
        "client.api_key, or give AsyncOpenAI a function as api_key, which is asked before each "
        "request"
    ),
    PermissionDeniedError: "the key may not use this conversation: use a key of its project",
}


@asynccontextmanager
async def hinted() -> AsyncIterator[None]:
    """Within, the errors of the client get a note that says what to do."""
    try:
        yield
    except Exception as error:
        for each in (error, error.__cause__):
            hint = _HINTS.get(type(each)) if isinstance(each, Exception) else None
            if each is not None and hint is not None:
                each.add_note(hint)
        raise
