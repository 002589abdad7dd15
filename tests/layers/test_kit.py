"""Layers keep the contract of the store behind them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from turnlog.records import Log
from turnlog.store import Layer, Store
from turnlog.stores.memory import MemoryStore
from turnlog.stores.sqlite import SQLiteStore
from turnlog.testing import Failing, Failure, StoreTests, first_calls_of

LOG = Log("session")


class TestPlainLayerOverMemory(StoreTests):
    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        async with Layer(MemoryStore()) as store:
            yield store


class TestTwoLayersOverSQLite(StoreTests):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        async with Layer(Layer(SQLiteStore(tmp_path / "conversations.db"))) as store:
            yield store

    @pytest.fixture
    async def twin(self, store: Store, tmp_path: Path) -> AsyncIterator[Store]:
        async with Layer(SQLiteStore(tmp_path / "conversations.db")) as twin:
            yield twin


class TestFailingLayerThatNeverFails(StoreTests):
    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        async with Failing(MemoryStore()) as store:
            yield store


@pytest.mark.anyio
class TestFailing:
    @pytest.fixture
    def inner(self) -> Store:
        return MemoryStore()

    async def test_before_the_call_nothing_happens(self, inner: Store) -> None:
        failing = Failing(inner, first_calls_of("commit", Failure(OSError("no route"))))
        with pytest.raises(OSError, match="no route"):
            await failing.append(LOG, [b"1"])
        assert await failing.read(LOG) == []
        await failing.append(LOG, [b"2"])
        assert [record.payload for record in await inner.read(LOG)] == [b"2"]

    async def test_after_the_call_it_happened(self, inner: Store) -> None:
        lost = Failure(OSError("connection lost"), happened=True)
        failing = Failing(inner, first_calls_of("commit", lost))
        with pytest.raises(OSError, match="connection lost"):
            await failing.append(LOG, [b"1"])
        assert [record.payload for record in await inner.read(LOG)] == [b"1"]

    async def test_a_plan_lets_calls_through(self, inner: Store) -> None:
        failing = Failing(inner, first_calls_of("read", None, Failure(OSError("gone"))))
        await failing.append(LOG, [b"1"])
        assert len(await failing.read(LOG)) == 1
        with pytest.raises(OSError, match="gone"):
            await failing.read(LOG)
        assert len(await failing.read(LOG)) == 1

    async def test_every_verb_can_fail(self, inner: Store) -> None:
        called: list[str] = []

        def plan(verb: str) -> Failure:
            called.append(verb)
            return Failure(OSError(verb))

        failing = Failing(inner, plan)
        attempts: dict[str, Callable[[], Awaitable[object]]] = {
            "commit": lambda: failing.append(LOG, [b"1"]),
            "read": lambda: failing.read(LOG),
            "logs": lambda: failing.logs("session"),
            "sessions": failing.sessions,
            "delete": lambda: failing.delete("session"),
            "aclose": failing.aclose,
        }
        for verb, attempt in attempts.items():
            with pytest.raises(OSError, match=f"^{verb}$"):
                await attempt()
        assert called == list(attempts)
        assert set(attempts) == Store.__abstractmethods__ - {"identity"}
        assert await inner.sessions() == []
