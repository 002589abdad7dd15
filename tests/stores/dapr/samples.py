"""A store behind the stand-in sidecar, and plans by which calls fail."""

from collections.abc import AsyncIterator

import pytest

from tests.servers.dapr_sidecar import STORE, Fault, Plan, Sidecar
from turnlog.records import Log
from turnlog.stores.dapr import DaprStore, at_address

__all__ = ["LOG", "once", "store"]

LOG = Log("session")


@pytest.fixture
async def store(sidecar: Sidecar) -> AsyncIterator[DaprStore]:
    async with DaprStore(STORE, at_address(sidecar.address), patience=200) as store:
        yield store


def once(verb: str, *faults: Fault | None, key: str = "") -> Plan:
    """The first calls of `verb` that name a key with `key` in it fail like this."""
    coming = iter(faults)

    def plan(called: str, keys: list[str]) -> Fault | None:
        if called == verb and any(key in each for each in keys):
            return next(coming, None)
        return None

    return plan
