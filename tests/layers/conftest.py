"""Fixtures for tests of layers."""

from tests.servers.dapr_fixtures import *  # noqa: F403 - fixtures, and __all__ lists them
