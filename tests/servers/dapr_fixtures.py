"""Fixtures: a stand-in for a Dapr sidecar, and clients of it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from dapr.aio.clients import DaprClient as AsyncDaprClient
from dapr.clients import DaprClient
from dapr.conf import settings

from tests.servers.dapr_sidecar import Sidecar, well
from turnlog.stores.dapr import directory, documents, draft, listing, sealed, tree

__all__ = ["_standing", "async_client", "blocking_client", "sidecar", "tiny"]


@pytest.fixture(scope="module")
def _standing() -> Iterator[Sidecar]:
    sidecar = Sidecar()
    yield sidecar
    sidecar.close()


@pytest.fixture
def sidecar(_standing: Sidecar, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sidecar]:
    """A stand-in for a sidecar, with an empty component that has no transactions."""
    _standing.component.clear()
    monkeypatch.setattr(settings, "DAPR_HTTP_PORT", _standing.http_port)
    yield _standing
    _standing.plan = well


@pytest.fixture
def blocking_client(sidecar: Sidecar) -> Iterator[DaprClient]:
    with DaprClient(sidecar.address) as client:
        yield client


@pytest.fixture
async def async_client(sidecar: Sidecar) -> AsyncIterator[AsyncDaprClient]:
    async with AsyncDaprClient(sidecar.address) as client:
        yield client


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so low that a few records, logs, keys and sessions are stored as trees."""
    for module, name, limit in (
        *((documents, "RECORDS", 2), (draft, "_HEADS", 3), (draft, "_KEYS", 2), (tree, "_FAN", 2)),
        *((sealed, "_ENTRIES", 2), (sealed, "_FAN", 2), (directory, "_COLLECTED", 2)),
        *((listing, "_RARE", 1), (listing, "_FIRST", 1)),
    ):
        monkeypatch.setattr(module, name, limit)
