"""The SQLite store keeps the contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from turnlog.store import Store
from turnlog.stores.sqlite import SQLiteStore
from turnlog.testing.stores import StoreTests


class TestSQLiteStore(StoreTests):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        async with SQLiteStore(tmp_path / "conversations.db") as store:
            yield store


class TestTwoStoresOnOneFile(StoreTests):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        async with SQLiteStore(tmp_path / "conversations.db") as store:
            yield store

    @pytest.fixture
    async def twin(self, store: Store, tmp_path: Path) -> AsyncIterator[Store]:
        # Another timeout means another engine, with connections of its own, like
        # another process has.
        async with SQLiteStore(tmp_path / "conversations.db", patience=29.0) as twin:
            yield twin
