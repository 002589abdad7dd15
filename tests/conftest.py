"""What every test here may use."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Turnlog is written for asyncio."""
    return "asyncio"
