"""Deletion: `delete` removes the session that it names, and nothing else."""

from __future__ import annotations

import pytest

from turnlog.changes import Key
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import all_sessions, fill, head_of, payloads_of, seen
from turnlog.testing.promises.windows import BEYOND

__all__ = ["Deletion"]

MAIN = Log("session")


class Deletion:
    """All logs of a session are deleted, with their notes and keys."""

    async def test_deleting_a_session(self, store: Store, twin: Store) -> None:
        await fill(store, "session", "other")
        others = await seen(store, "other")
        names = [head.log.name for head in await store.logs("session")]
        await twin.delete("session")
        assert await seen(store, "session") == []
        assert await seen(store, "other") == others
        for name in names:
            assert await store.read(Log("session", name)) == []
        assert await all_sessions(store) == ["other"]

    async def test_deleting_nothing_is_fine(self, store: Store) -> None:
        await fill(store, "session")
        before = await seen(store, "session")
        for _ in range(2):
            await store.delete("nobody")
            await store.delete("nobody", expect=0)
        assert await seen(store, "session") == before
        assert await store.logs("nobody") == []

    async def test_nothing_comes_back_with_a_new_session(self, store: Store, log: Log) -> None:
        await fill(store, log.session)
        old = await head_of(store, log)
        await store.delete(log.session)
        await store.append(log, [b"new"], expect=0)
        new = await head_of(store, log)
        assert await payloads_of(store, log) == [b"new"]
        assert (new.length, new.note) == (1, b"")
        assert new.last > old.last
        assert new.created_at >= old.created_at
        assert [head.log.name for head in await store.logs(log.session)] == sorted(
            {"main", log.name}
        )

    async def test_what_is_done_to_one_log_happens_to_no_other(
        self, store: Store, log: Log
    ) -> None:
        await fill(store, "session", "other")
        others = [sight for sight in await seen(store, "session") if sight[0].log != log]
        other = await seen(store, "other")
        await store.append(log, [b"1"], key=Key("k"))
        await store.remove(log)
        await store.annotate(log, b"changed")
        assert [sight for sight in await seen(store, "session") if sight[0].log != log] == others
        assert await seen(store, "other") == other

    async def test_deleting_with_the_right_expectation(self, store: Store) -> None:
        last = await store.append(MAIN, [b"1", b"2"])
        await store.append(Log("session", "side"), [b"3"])
        await store.delete("session", expect=last)
        assert await store.logs("session") == []
        await store.append(Log("session", "side"), [b"4"])
        await store.delete("session", expect=0)
        assert await store.logs("session") == []

    async def test_deleting_with_a_wrong_expectation(self, store: Store, twin: Store) -> None:
        last = await store.append(MAIN, [b"1", b"2"])
        await store.append(Log("session", "side"), [b"3"])
        before = await seen(store, "session")
        for wrong in (0, last - 1, last + 1, -1, *BEYOND):
            with pytest.raises(Conflict) as caught:
                await twin.delete("session", expect=wrong)
            conflict = caught.value
            assert (conflict.log, conflict.expected, conflict.actual) == (MAIN, wrong, last)
        assert await seen(store, "session") == before

    async def test_deleting_what_does_not_exist_with_a_wrong_expectation(
        self, store: Store
    ) -> None:
        with pytest.raises(Conflict) as caught:
            await store.delete("session", expect=3)
        assert (caught.value.log, caught.value.actual) == (MAIN, 0)
