"""The two ways to run an agent: `run` and `run_streamed`."""

from collections.abc import Callable
from typing import Any

import pytest

from turnlog import Runner

__all__ = ["Way", "streamed", "way"]

Way = Callable[..., Any]


async def streamed(*args: Any, **options: Any) -> Any:
    result = Runner.run_streamed(*args, **options)
    async for _ in result:
        pass
    return result


@pytest.fixture(params=["run", "run_streamed"])
def way(request: pytest.FixtureRequest) -> Way:
    """Each of the two."""
    return Runner.run if request.param == "run" else streamed
