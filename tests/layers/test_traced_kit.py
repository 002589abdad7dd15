"""A traced store keeps the contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from turnlog import Store
from turnlog.layers.traced import Traced
from turnlog.stores.memory import MemoryStore
from turnlog.stores.sqlite import SQLiteStore
from turnlog.testing import StoreTests

pytestmark = pytest.mark.slow


def traced(inner: Store) -> Store:
    """With the SDK behind it, so that spans and measurements are really made."""
    return Traced(
        inner,
        tracer_provider=TracerProvider(shutdown_on_exit=False),
        meter_provider=MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False),
    )


class TestTracedMemory(StoreTests):
    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        async with traced(MemoryStore()) as store:
            yield store


class TestTracedSQLite(StoreTests):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        async with traced(SQLiteStore(tmp_path / "conversations.db")) as store:
            yield store
