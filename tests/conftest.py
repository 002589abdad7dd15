"""What every test here may use."""

import os

import pytest
from hypothesis import HealthCheck, settings

from servers.fixtures import *  # noqa: F403 - each is a fixture, and __all__ lists them

# What the caller's shell names must not decide what is tested, nor may a test ask a real model
# with the caller's key. Processes that tests start inherit this.
for name in [name for name in os.environ if name.startswith("OPENAI_")]:
    del os.environ[name]
for name in ("TURNLOG_MODEL", "TURNLOG_STORE"):
    os.environ.pop(name, None)

# How fast a machine makes up examples says nothing of the code. In CI the examples are the
# same each time, so that a change is blamed for nothing but its own doing.
settings.register_profile(
    "here",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("here")


@pytest.fixture
def anyio_backend() -> str:
    """Turnlog is written for asyncio."""
    return "asyncio"
