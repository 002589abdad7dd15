"""Fixtures for tests of the runner."""

from tests.agents.ways import way

__all__ = ["way"]
