"""A store behind the stand-in sidecar, and plans by which calls fail."""

from collections.abc import AsyncIterator

import pytest

from tests.servers.dapr_sidecar import STORE, Sidecar
from turnlog.records import Log
from turnlog.stores.dapr import DaprStore, at_address

__all__ = ["LOG", "store"]

LOG = Log("session")


@pytest.fixture
async def store(sidecar: Sidecar) -> AsyncIterator[DaprStore]:
    async with DaprStore(STORE, at_address(sidecar.address)) as store:
        yield store
