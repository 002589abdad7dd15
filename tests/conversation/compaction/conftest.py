"""Fixtures for tests of compaction on every store."""

from tests.servers.dapr_fixtures import *  # noqa: F403 - fixtures, and __all__ lists them
