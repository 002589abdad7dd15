"""The store without a database keeps the contract."""

from collections.abc import AsyncIterator

import pytest

from turnlog.store import Store
from turnlog.stores.memory import MemoryStore
from turnlog.testing.stores import StoreTests


class TestMemoryStore(StoreTests):
    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        async with MemoryStore() as store:
            yield store
