"""Closing: after `aclose` every verb raises `StoreClosed`, and the data stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from turnlog.changes import Append, Check, Key
from turnlog.errors import StoreClosed
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import payloads_of

__all__ = ["Closing"]

LOG = Log("session")

VERBS: Mapping[str, Callable[[Store], Awaitable[object]]] = {
    "commit": lambda store: store.commit("session", [Append("main", [b"1"]), Append(":a", [b"2"])]),
    "commit nothing": lambda store: store.commit("session", []),
    "check": lambda store: store.commit("session", [Check("main", 0)]),
    "append": lambda store: store.append(LOG, [b"1"]),
    "append nothing": lambda store: store.append(LOG, []),
    "append with a key": lambda store: store.append(LOG, [b"1"], key=Key("k")),
    "read": lambda store: store.read(LOG),
    "remove": lambda store: store.remove(LOG),
    "annotate": lambda store: store.annotate(LOG, b"note"),
    "logs": lambda store: store.logs("session"),
    "sessions": lambda store: store.sessions(),
    "delete": lambda store: store.delete("session"),
}


class Closing:
    """A closed store stays closed; closing it twice, or before any other call, is allowed."""

    @pytest.mark.parametrize("verb", VERBS)
    async def test_a_closed_store_refuses_every_verb(self, store: Store, verb: str) -> None:
        await store.append(LOG, [b"1"], key=Key("k"))
        await store.aclose()
        for _ in range(2):
            with pytest.raises(StoreClosed, match="closed"):
                await VERBS[verb](store)

    @pytest.mark.parametrize("verb", VERBS)
    async def test_closing_before_the_first_use_is_final(self, store: Store, verb: str) -> None:
        await store.aclose()
        with pytest.raises(StoreClosed, match="closed"):
            await VERBS[verb](store)

    async def test_closing_twice(self, store: Store) -> None:
        await store.append(LOG, [b"1"])
        await store.aclose()
        await store.aclose()

    async def test_closing_twice_at_once(self, store: Store) -> None:
        await store.append(LOG, [b"1"])
        await asyncio.gather(*(store.aclose() for _ in range(4)))
        with pytest.raises(StoreClosed):
            await store.read(LOG)

    async def test_a_block_closes_at_its_end(self, store: Store) -> None:
        async with store as same:
            assert same is store
            await store.append(LOG, [b"1"])
        with pytest.raises(StoreClosed):
            await store.read(LOG)

    async def test_closing_while_work_is_under_way(self, store: Store, twin: Store) -> None:
        writes = [asyncio.create_task(store.append(Log(f"s{n}"), [b"1"])) for n in range(8)]
        await asyncio.sleep(0)
        await store.aclose()
        answers = await asyncio.gather(*writes, return_exceptions=True)
        refused = [n for n, answer in enumerate(answers) if isinstance(answer, StoreClosed)]
        assert all(type(answer) is int for n, answer in enumerate(answers) if n not in refused)
        if twin is not store:
            for n in range(8):
                assert await payloads_of(twin, Log(f"s{n}")) == [b"1"] * (n not in refused)

    async def test_closing_one_handle_leaves_the_other(self, store: Store, twin: Store) -> None:
        if twin is store:
            pytest.skip("this store has one handle only: its data ends with it")
        await store.append(LOG, [b"1"])
        await store.aclose()
        await twin.append(LOG, [b"2"])
        assert await payloads_of(twin, LOG) == [b"1", b"2"]
