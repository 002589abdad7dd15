"""Identity: two handles on the same data are equal, others are not."""

from __future__ import annotations

from turnlog.records import Log
from turnlog.store import Layer, Store

__all__ = ["Identity"]


class Identity:
    """`identity` is equal for two stores exactly when they read and write the same logs."""

    async def test_handles_on_the_same_data_are_equal(self, store: Store, twin: Store) -> None:
        assert store.identity == twin.identity
        assert hash(store.identity) == hash(twin.identity)

    async def test_a_store_on_other_data_differs(self, store: Store, other: Store) -> None:
        assert store.identity != other.identity
        await store.append(Log("session"), [b"1"])
        assert await other.read(Log("session")) == []

    async def test_a_layer_has_the_identity_of_its_store(self, store: Store, twin: Store) -> None:
        assert Layer(Layer(twin)).identity == store.identity

    async def test_use_and_closing_change_nothing(self, store: Store) -> None:
        before = store.identity
        await store.append(Log("session"), [b"1"])
        assert store.identity == before
        await store.delete("session")
        await store.aclose()
        assert store.identity == before
