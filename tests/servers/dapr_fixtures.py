"""Fixtures: a stand-in for a Dapr sidecar, and clients of it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from dapr.aio.clients import DaprClient as AsyncDaprClient
from dapr.clients import DaprClient
from dapr.conf import settings

from tests.servers.dapr_sidecar import Sidecar, well
from turnlog.stores.dapr import changes, documents, tree

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
    """Limits so low that a few records are stored as a tree of documents."""
    monkeypatch.setattr(documents, "RECORDS", 2)
    monkeypatch.setattr(changes, "RECORDS", 2)
    monkeypatch.setattr(tree, "_FAN", 2)
