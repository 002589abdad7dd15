"""The contract of a store, `turnlog.store.Store`, as a test class."""

from __future__ import annotations

import pytest

from turnlog.records import Log
from turnlog.store import Store
from turnlog.stores.memory import MemoryStore
from turnlog.testing import promises

__all__ = ["StoreTests"]


class StoreTests(
    promises.Order,
    promises.Windows,
    promises.Expecting,
    promises.Atomicity,
    promises.Conditions,
    promises.Combinations,
    promises.Existence,
    promises.Cutting,
    promises.Times,
    promises.Keys,
    promises.Retrying,
    promises.Removal,
    promises.Replacing,
    promises.Forgetting,
    promises.Notes,
    promises.Checking,
    promises.Payloads,
    promises.Naming,
    promises.Heads,
    promises.Listing,
    promises.Deletion,
    promises.Identity,
    promises.Together,
    promises.Visibility,
    promises.Linear,
    promises.Cancelling,
    promises.Closing,
):
    """Inherit this, override the fixture `store`, and run pytest.

    class TestMyStore(StoreTests):
        @pytest.fixture
        async def store(self):
            async with MyStore(...) as store:
                yield store

    Every feature of Turnlog works on a store that passes.
    """

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Turnlog is written for asyncio."""
        return "asyncio"

    @pytest.fixture
    def store(self) -> Store:
        """A new, empty store. Override this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `store`")

    @pytest.fixture
    def twin(self, store: Store) -> Store:
        """A second handle on the data of `store`, as another process would have it.

        Override this if the store can have one. It stays open when `store` is closed.
        """
        return store

    @pytest.fixture
    def other(self) -> Store:
        """A store on other data. Override this with one of the same kind."""
        return MemoryStore()

    @pytest.fixture(params=["main", ":usage"])
    def log(self, request: pytest.FixtureRequest) -> Log:
        """A log to write to: the main log of a session, and an auxiliary one."""
        name: str = request.param
        return Log("session", name)
