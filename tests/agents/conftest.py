"""Fixtures for tests of the runner."""

from tests.agents.runs import session
from tests.agents.ways import way

__all__ = ["session", "way"]
