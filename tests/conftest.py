"""Fixtures of all tests, and the mark of those that need a server."""

import asyncio
import os
import signal
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import *  # noqa: F403 - fixtures, and __all__ lists them
from tests.servers import fixtures
from tests.servers.fixtures import *  # noqa: F403 - each is a fixture, and __all__ lists them
from tests.servers.process import Server
from tests.virtual_time import *  # noqa: F403 - fixtures, and __all__ lists them

# The caller's environment variables must not decide what is tested, nor may a test ask a real
# model with the caller's key. Processes that tests start inherit this.
for name in [name for name in os.environ if name.startswith("OPENAI_")]:
    del os.environ[name]
for name in (
    "TURNLOG_MODEL",
    "TURNLOG_STORE",
    "TURNLOG_KEY_FILE",
    "TURNLOG_KEYS",
    "TURNLOG_LEASE_SECONDS",
):
    os.environ.pop(name, None)

# Ctrl-C is heard, here and in processes that tests start, also where it is ignored: a shell does
# that for `make test &` and for `nohup make test`.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# When a query is cancelled, asyncpg asks the server on a connection of its own to stop it. If the
# cancelled connection is closed before that one is made, asyncpg drops it, with an error that
# nobody can await. It concerns no query, and is no error of the test that is running.
_BROKEN_OFF = "unexpected connection_lost() call"
_reported = asyncio.BaseEventLoop.call_exception_handler


def _report(loop: asyncio.BaseEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if not (isinstance(error, ConnectionError) and str(error) == _BROKEN_OFF):
        _reported(loop, context)


asyncio.BaseEventLoop.call_exception_handler = _report  # type: ignore[assignment, method-assign]

# No deadlines: the speed of the machine says nothing about the code. In CI the examples are the
# same each time, so that a failure is caused by the change under test.
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


#: Fixtures that start a server or a stand-in for one, and parameters that need one.
SERVERS = {*fixtures.__all__, "sidecar", "dapr", "postgresql"}
SERVERS |= {"asyncpg", "psycopg", "psycopg on threads", "asyncmy", "aiomysql"}


@pytest.hookimpl(tryfirst=True)  # before tests are selected by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need a server: by a fixture, by its name as a parameter, or by its class."""
    for item in items:
        if isinstance(item, pytest.Function) and _needs_a_server(item):
            item.add_marker("server")
            item.add_marker(pytest.mark.timeout(_time_with_a_server(item.config)))


def _time_with_a_server(config: pytest.Config) -> float:
    """Seconds: the first test that needs a server waits for its installation and its start."""
    given = config.getoption("timeout")
    limit = float(config.getini("timeout") if given is None else given)
    return max(900.0, limit) if limit else 0.0  # 0: without a limit, for a debugger


def _needs_a_server(item: pytest.Function) -> bool:
    callspec = getattr(item, "callspec", None)
    given = list(_flat(callspec.params.values())) if callspec else []
    names = {value for value in given if isinstance(value, str)}
    kinds = [value for value in given if isinstance(value, type) and issubclass(value, Server)]
    return bool(kinds or SERVERS & {*item.fixturenames, *names})


def _flat(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        if isinstance(value, tuple):
            yield from _flat(value)
        else:
            yield value
