"""Fixtures for tests of the store on Dapr."""

from tests.stores.dapr.samples import store

__all__ = ["store"]
