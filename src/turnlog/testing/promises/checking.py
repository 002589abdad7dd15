"""Checks: `Check` makes a commit depend on a log that it doesn't write to."""

from __future__ import annotations

import asyncio

import pytest

from turnlog.changes import Append, Check, Key
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import all_sessions, end_of, fill, payloads_of, seen

__all__ = ["Checking"]


class Checking:
    """A commit is fenced by the end of another log, and a check alone writes nothing."""

    async def test_a_check_alone_changes_nothing(self, store: Store, log: Log) -> None:
        await fill(store, log.session, "later")
        end = await end_of(store, log)
        before = await seen(store, log.session)
        for key in (None, Key("k")):
            done = await store.commit(
                log.session, [Check(log.name, end), Check("missing", 0)], key=key
            )
            assert (done.positions, done.replayed) == ((end, 0), False)
        with pytest.raises(Conflict):
            await store.commit(log.session, [Check("missing", 0), Check(log.name, end + 1)])
        assert await seen(store, log.session) == before
        assert await all_sessions(store) == ["later", log.session]

    async def test_a_check_guards_another_log(self, store: Store, twin: Store) -> None:
        lease = Log("s", ":lease")
        mine = await store.append(lease, [b"mine"])
        await store.commit("s", [Check(":lease", mine), Append("main", [b"1"])])
        await twin.commit("s", [Append(":lease", [b"theirs"], expect=mine, cut=0)])
        with pytest.raises(Conflict) as caught:
            await store.commit("s", [Check(":lease", mine), Append("main", [b"2"])])
        assert caught.value.log == lease
        assert await payloads_of(store, Log("s")) == [b"1"]

    async def test_an_emptied_log_does_not_satisfy_an_old_check(self, store: Store) -> None:
        lease = Log("s", ":lease")
        mine = await store.append(lease, [b"mine"])
        await store.remove(lease, expect=mine)
        for _ in range(2):
            with pytest.raises(Conflict):
                await store.commit("s", [Check(":lease", mine), Append("main", [b"1"])])
            await store.append(lease, [b"theirs"])
        await store.delete("s")
        await store.append(lease, [b"again"])
        with pytest.raises(Conflict):
            await store.commit("s", [Check(":lease", mine), Append("main", [b"1"])])
        assert await payloads_of(store, Log("s")) == []

    async def test_a_check_of_a_key_that_is_not_known(self, store: Store, log: Log) -> None:
        asking = [Check(log.name, -1)]
        with pytest.raises(Conflict):
            await store.commit(log.session, asking, key=Key("k"))
        done = await store.commit(log.session, [Append(log.name, [b"1", b"2"])], key=Key("k"))
        assert await store.commit(log.session, asking, key=Key("k")) == done._replace(replayed=True)

    async def test_nothing_is_written_behind_a_new_holder(self, store: Store, twin: Store) -> None:
        """Each holder writes as long as it has the lease, and others take it at any moment."""

        async def hold(handle: Store, name: int) -> None:
            for round_ in range(6):
                end = await end_of(handle, Log("s", ":lease"))
                claim = b"%d.%d" % (name, round_)
                take = Append(":lease", [claim], expect=end, cut=0)
                try:
                    mine, _ = (await handle.commit("s", [take, Append("main", [claim])])).positions
                    for _ in range(3):
                        await handle.commit("s", [Check(":lease", mine), Append("main", [claim])])
                except Conflict:
                    continue

        await asyncio.gather(*(hold([store, twin][n % 2], n) for n in range(6)))
        written = await payloads_of(store, Log("s"))
        turns = [claim for n, claim in enumerate(written) if not n or written[n - 1] != claim]
        assert len(turns) == len(set(turns))
