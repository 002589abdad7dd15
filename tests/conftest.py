"""What every test here may use."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from servers.fixtures import *  # noqa: F403 - each is a fixture, and __all__ lists them

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
def interrupts() -> Iterator[None]:
    """Ctrl-C is heard, here and in processes that are started, also under `nohup make test &`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def anyio_backend() -> str:
    """Turnlog is written for asyncio."""
    return "asyncio"
