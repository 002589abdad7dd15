"""A session on any store and a tool, for tests of whole runs."""

import pytest

from turnlog import (
    Store,
    StoredSession,
    function_tool,
)

__all__ = ["session", "weather"]


@pytest.fixture
def session(any_store: Store) -> StoredSession:
    return StoredSession("session", any_store)


@function_tool
async def weather(city: str) -> str:
    """Tells the weather."""
    return f"rain in {city}"
