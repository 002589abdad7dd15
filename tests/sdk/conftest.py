"""Fixtures for tests beside the OpenAI Agents SDK."""

from tests.sdk.sessions import kind, make, path, session

__all__ = ["kind", "make", "path", "session"]
