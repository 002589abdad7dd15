"""Forgetting: `Forget` deletes a log; of "main" an empty log stays."""

from __future__ import annotations

import pytest

from turnlog.changes import Append, Forget, Key
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import all_sessions, end_of, fill, head_of, payloads_of, seen

__all__ = ["Forgetting"]


async def _forget(store: Store, log: Log, expect: int | None = None) -> None:
    done = await store.commit(log.session, [Forget(log.name, expect)])
    assert done.positions == (0,)


class Forgetting:
    """A log goes with its records and its note; keys and other logs stay."""

    async def test_a_log_is_gone(self, store: Store, twin: Store) -> None:
        await fill(store, "s", "other")
        others = await seen(store, "other")
        kept = [sight for sight in await seen(store, "s") if sight[0].log.name != "side"]
        await _forget(twin, Log("s", "side"))
        assert await seen(store, "s") == kept
        assert await seen(store, "other") == others
        assert await store.read(Log("s", "side")) == []

    async def test_main_stays_without_contents(self, store: Store, twin: Store) -> None:
        await fill(store, "s", "later")
        old = await head_of(store, Log("s"))
        kept = [sight for sight in await seen(store, "s") if sight[0].log.name != "main"]
        await _forget(twin, Log("s"))
        assert await store.read(Log("s")) == []
        head = await head_of(store, Log("s"))
        assert (head.last, head.length, head.note) == (0, 0, b"")
        assert head.created_at == old.created_at
        assert head.updated_at > old.updated_at
        assert [sight for sight in await seen(store, "s") if sight[0].log.name != "main"] == kept
        assert await all_sessions(store) == ["s", "later"]

    async def test_a_note_alone_is_forgotten(self, store: Store, log: Log) -> None:
        await store.annotate(log, b"note")
        await fill(store, "later")
        await _forget(store, log)
        notes = [head.note for head in await store.logs(log.session)]
        assert notes == [b""]
        assert await all_sessions(store) == (
            ["session", "later"] if log.name == "main" else ["later", "session"]
        )

    async def test_forgetting_nothing_changes_nothing(self, store: Store) -> None:
        await _forget(store, Log("nobody"))
        await _forget(store, Log("nobody", "side"), expect=0)
        assert await store.sessions() == []
        await fill(store, "s", "later")
        await _forget(store, Log("s"))
        await store.append(Log("later"), [b"1"])
        before = await seen(store, "s")
        await _forget(store, Log("s"))
        await _forget(store, Log("s"), expect=0)
        await _forget(store, Log("s", "no such log"))
        assert await seen(store, "s") == before
        assert await all_sessions(store) == ["later", "s"]

    async def test_a_log_made_again_has_nothing_of_the_old_one(
        self, store: Store, log: Log
    ) -> None:
        await fill(store, log.session)
        old = await head_of(store, log)
        await _forget(store, log)
        last = await store.append(log, [b"new"], expect=0)
        new = await head_of(store, log)
        assert await payloads_of(store, log) == [b"new"]
        assert (new.last, new.length, new.note) == (last, 1, b"")
        assert last > old.last
        assert new.created_at >= old.created_at

    async def test_forgetting_with_a_condition(self, store: Store, log: Log) -> None:
        await fill(store, log.session)
        end = await end_of(store, log)
        before = await seen(store, log.session)
        for wrong in (0, end - 1, end + 1):
            with pytest.raises(Conflict) as caught:
                await _forget(store, log, wrong)
            assert (caught.value.log, caught.value.actual) == (log, end)
        assert await seen(store, log.session) == before
        await _forget(store, log, end)
        assert await store.read(log) == []

    async def test_keys_stay(self, store: Store, log: Log) -> None:
        write = [Append(log.name, [b"1"])]
        done = await store.commit(log.session, write, key=Key("k"))
        await _forget(store, log)
        assert await store.commit(log.session, write, key=Key("k")) == done._replace(replayed=True)
        assert await store.read(log) == []

    async def test_one_log_goes_as_another_comes(self, store: Store) -> None:
        await fill(store, "s")
        records = (await store.read(Log("s", "side"))).payloads
        await store.commit("s", [Append("copy", records), Forget("side")])
        names = [head.log.name for head in await store.logs("s")]
        assert names == [":usage", "copy", "main"]
        assert await payloads_of(store, Log("s", "copy")) == list(records)
