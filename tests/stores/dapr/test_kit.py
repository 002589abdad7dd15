"""The store behind a Dapr sidecar keeps the contract, and so do its sessions."""

from collections.abc import AsyncIterator

import pytest
from dapr.aio.clients import DaprClient as AsyncDaprClient
from dapr.clients import DaprClient
from hypothesis import settings

from tests.servers.dapr_sidecar import STORE, Sidecar
from tests.sizes import EXAMPLES
from turnlog.sessions.dapr import DaprSession
from turnlog.store import Store
from turnlog.stores.dapr import DaprStore, at_address
from turnlog.stores.memory import MemoryStore
from turnlog.testing import (
    ClosableSessionTests,
    MakeSession,
    StoredSessionTests,
    StoreTests,
    stores_agree,
)
from turnlog.testing.machine import SETTINGS


class TestByAddress(StoreTests):
    @pytest.fixture
    async def store(self, sidecar: Sidecar) -> AsyncIterator[Store]:
        async with DaprStore(STORE, at_address(sidecar.address)) as store:
            yield store

    @pytest.fixture
    async def twin(self, store: Store, sidecar: Sidecar) -> AsyncIterator[Store]:
        # Another name for the same address means another client, like another process has.
        other = sidecar.address.replace("127.0.0.1", "localhost")
        async with DaprStore(STORE, at_address(other)) as twin:
            yield twin


@pytest.mark.usefixtures("tiny")
class TestOnBothClients(StoreTests):
    """One handle has the caller's client for asyncio, the other the one that blocks."""

    @pytest.fixture
    async def store(self, blocking_client: DaprClient) -> AsyncIterator[Store]:
        async with DaprStore(STORE, blocking_client) as store:
            yield store

    @pytest.fixture
    async def twin(self, store: Store, async_client: AsyncDaprClient) -> AsyncIterator[Store]:
        async with DaprStore(STORE, async_client, ttl=600, consistency="strong") as twin:
            yield twin


class TestDaprSessionByAddress(ClosableSessionTests):
    @pytest.fixture
    async def make_session(self, sidecar: Sidecar) -> AsyncIterator[MakeSession]:
        made: list[DaprSession] = []

        def make(session_id: str) -> DaprSession:
            made.append(
                DaprSession.from_address(
                    session_id, state_store_name=STORE, dapr_address=sidecar.address
                )
            )
            return made[-1]

        yield make
        for session in made:
            await session.close()
            await session.store.aclose()


class TestDaprSessionOnAClient(StoredSessionTests):
    @pytest.fixture
    def make_session(self, async_client: AsyncDaprClient) -> MakeSession:
        return lambda session_id: DaprSession(session_id, STORE, async_client)


@pytest.mark.proof
@pytest.mark.usefixtures("tiny")
def test_dapr_agrees_with_memory(sidecar: Sidecar) -> None:
    async def left() -> Store:
        return MemoryStore()

    async def right() -> Store:
        sidecar.component.documents.clear()
        return DaprStore(STORE, at_address(sidecar.address))

    stores_agree(left, right, settings=settings(SETTINGS, max_examples=EXAMPLES))
