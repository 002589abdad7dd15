"""Deletion: `delete` removes the log or session that it names, and nothing else."""

from __future__ import annotations

from turnlog.changes import Key
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import head_of, payloads_of, seen

__all__ = ["Deletion"]

NAMES = ("main", "side", ":usage")


async def _fill(store: Store, *sessions: str) -> None:
    for session in sessions:
        for name in NAMES:
            await store.append(Log(session, name), [session.encode(), name.encode()])
            await store.annotate(Log(session, name), name.encode())


class Deletion:
    """One log or all logs of a session are deleted, with their notes and keys."""

    async def test_deleting_one_log(self, store: Store, twin: Store, log: Log) -> None:
        await _fill(store, "session", "other")
        others = await seen(store, "other")
        kept = [sight for sight in await seen(store, "session") if sight[0].log != log]
        await twin.delete(log.session, log.name)
        assert await seen(store, "session") == kept
        assert await seen(store, "other") == others
        assert await store.read(log) == []

    async def test_deleting_a_session(self, store: Store, twin: Store) -> None:
        await _fill(store, "session", "other")
        others = await seen(store, "other")
        await twin.delete("session")
        assert await seen(store, "session") == []
        assert await seen(store, "other") == others
        for name in NAMES:
            assert await store.read(Log("session", name)) == []

    async def test_deleting_nothing_is_fine(self, store: Store) -> None:
        await _fill(store, "session")
        before = await seen(store, "session")
        for _ in range(2):
            await store.delete("nobody")
            await store.delete("nobody", "main")
            await store.delete("session", "no such log")
        assert await seen(store, "session") == before
        assert await store.logs("nobody") == []

    async def test_nothing_comes_back_with_a_new_log(self, store: Store, log: Log) -> None:
        await _fill(store, log.session)
        old = await head_of(store, log)
        await store.delete(log.session, log.name)
        await store.append(log, [b"new"], expect=0)
        new = await head_of(store, log)
        assert await payloads_of(store, log) == [b"new"]
        assert (new.length, new.note) == (1, b"")
        assert new.last > old.last
        assert new.created_at >= old.created_at

    async def test_what_is_done_to_one_log_happens_to_no_other(
        self, store: Store, log: Log
    ) -> None:
        await _fill(store, "session", "other")
        others = [sight for sight in await seen(store, "session") if sight[0].log != log]
        other = await seen(store, "other")
        await store.append(log, [b"1"], key=Key("k"))
        await store.remove(log)
        await store.annotate(log, b"changed")
        await store.delete(log.session, log.name)
        assert await seen(store, "session") == others
        assert await seen(store, "other") == other
