"""Fixtures for tests beside the OpenAI Agents SDK."""

from tests.sdk.sessions import kind, make, path, session
from tests.servers.dapr_fixtures import *  # noqa: F403 - fixtures, and __all__ lists them

__all__ = ["kind", "make", "path", "session"]
