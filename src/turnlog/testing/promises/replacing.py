"""Replacing: `Replace` gives records other payloads, in place."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from turnlog.changes import Annotate, Append, Change, Check, Forget, Key, Remove, Replace
from turnlog.errors import Conflict, RecordChanged
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import (
    all_sessions,
    end_of,
    head_of,
    payloads_of,
    positions_of,
    seen,
)

__all__ = ["Replacing"]


async def _replace(store: Store, log: Log, new: dict[int, tuple[bytes, bytes]]) -> int:
    """Commit a `Replace` of old by new payloads, given by position."""
    old, payloads = [pair[0] for pair in new.values()], [pair[1] for pair in new.values()]
    change = Replace(log.name, [*new], payloads, old)
    return (await store.commit(log.session, [change])).positions[0]


class Replacing:
    """Payloads change; positions, times, order and head stay."""

    async def test_only_payloads_change(self, store: Store, twin: Store, log: Log) -> None:
        await store.append(log, [b"1", b"2", b"3", b"4"])
        await store.annotate(log, b"note")
        first, second, third, last = await positions_of(store, log)
        times = list((await store.read(log)).times)
        before = await head_of(store, log)
        end = await _replace(twin, log, {first: (b"1", b"one"), third: (b"3", b"")})
        assert end == last
        for handle in (store, twin):
            records = await handle.read(log)
            assert list(records.payloads) == [b"one", b"2", b"", b"4"]
            assert list(records.positions) == [first, second, third, last]
            assert list(records.times) == times
            assert await head_of(handle, log) == before

    async def test_no_time_of_the_session_moves(self, store: Store, twin: Store, log: Log) -> None:
        await store.append(log, [b"1"])
        await store.append(Log("later"), [b"1"])
        end, before = await end_of(store, log), await store.logs(log.session)
        for old, new in ((b"1", b"2"), (b"2", b"2"), (b"2", b"\xff"), (b"\xff", b"1")):
            await _replace(store, log, {end: (old, new)})
            assert await store.logs(log.session) == await twin.logs(log.session) == before
        assert await all_sessions(store) == ["later", log.session]

    async def test_many_at_once(self, store: Store, log: Log) -> None:
        await store.append(log, [b"%d" % n for n in range(2500)])
        positions = await positions_of(store, log)
        pairs = {at: (b"%d" % n, b"new %d" % n) for n, at in enumerate(positions) if n % 5}
        await _replace(store, log, pairs)
        expected = [b"new %d" % n if n % 5 else b"%d" % n for n in range(2500)]
        assert await payloads_of(store, log) == expected
        pairs[positions[-1]] = (b"?", b"")
        with pytest.raises(RecordChanged):
            await _replace(store, log, {at: (new, b"") for at, (_, new) in pairs.items()})
        assert await payloads_of(store, log) == expected

    async def test_what_fails_at_once_with_others_touches_none_of_them(
        self, store: Store, log: Log
    ) -> None:
        end = await store.append(log, [b"1"])
        others = [Log(f"other {n}", log.name) for n in range(20)]
        wrong = [_replace(store, log, {end: (b"?", b"%d" % n)}) for n in range(20)]
        right = [store.append(other, [b"1"]) for other in others]
        calls = [call for pair in zip(wrong, right, strict=True) for call in pair]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [RecordChanged, int] * 20
        assert await payloads_of(store, log) == [b"1"]
        assert [await payloads_of(store, other) for other in others] == [[b"1"]] * 20

    async def test_every_byte_and_size(self, store: Store, log: Log) -> None:
        sizes: Sequence[bytes] = [bytes(range(256)), b"\xf5TL\x00", b"{}", b"\0", b"x" * 70_000]
        await store.append(log, [b"old"] * len(sizes))
        positions = await positions_of(store, log)
        pairs = zip(positions, sizes, strict=True)
        await _replace(store, log, {at: (b"old", payload) for at, payload in pairs})
        assert await payloads_of(store, log) == [*sizes]
        pairs = zip(positions, sizes, strict=True)
        await _replace(store, log, {at: (payload, b"new") for at, payload in pairs})
        assert await payloads_of(store, log) == [b"new"] * len(sizes)

    async def test_reads_of_a_part_see_it(self, store: Store, log: Log) -> None:
        await store.append(log, [b"%d" % n for n in range(300)])
        positions = await positions_of(store, log)
        changed = positions[::7]
        olds = {at: (b"%d" % n, b"new %d" % n) for n, at in enumerate(positions) if at in changed}
        await _replace(store, log, olds)
        expected = [b"new %d" % n if n % 7 == 0 else b"%d" % n for n in range(300)]
        assert await payloads_of(store, log) == expected
        newest = await store.read(log, limit=50)
        assert list(newest.payloads) == expected[-50:]
        middle = await store.read(log, after=positions[99], before=positions[120], oldest=True)
        assert list(middle.payloads) == expected[100:120]

    async def test_a_record_that_is_gone_or_another(self, store: Store, log: Log) -> None:
        await store.append(log, [b"1", b"2", b"3"])
        first, second, third = await positions_of(store, log)
        await store.remove(log, after=first, before=third)
        before = await seen(store, log.session)
        for pairs, position, is_gone in (
            ({first: (b"1", b"x"), second: (b"2", b"x")}, second, True),
            ({first: (b"1", b"x"), third: (b"?", b"x")}, third, False),
            ({first: (b"1", b"x"), third + 1: (b"", b"x")}, third + 1, True),
            ({0: (b"1", b"x")}, 0, True),
            ({-5: (b"1", b"x")}, -5, True),
            ({2**63 + 1: (b"1", b"x")}, 2**63 + 1, True),
        ):
            with pytest.raises(RecordChanged) as caught:
                await _replace(store, log, pairs)
            error = caught.value
            assert (error.log, error.position, error.is_gone) == (log, position, is_gone)
            assert await seen(store, log.session) == before

    async def test_a_missing_log_and_a_missing_session(self, store: Store, log: Log) -> None:
        with pytest.raises(RecordChanged):
            await _replace(store, log, {1: (b"1", b"x")})
        assert await store.logs(log.session) == []
        assert await _replace(store, log, {}) == 0
        assert await store.logs(log.session) == []

    async def test_conditions_come_in_order(self, store: Store, log: Log) -> None:
        end = await store.append(log, [b"1"])
        beside = log.beside("beside").name
        wrong = Replace(log.name, [end], [b"x"], [b"?"])
        before = await seen(store, log.session)
        with pytest.raises(RecordChanged):
            await store.commit(log.session, [wrong, Check(beside, 7)])
        with pytest.raises(Conflict) as caught:
            await store.commit(log.session, [Check(beside, 7), wrong])
        assert caught.value.log.name == beside
        with pytest.raises(Conflict) as caught:
            await store.commit(log.session, [wrong._replace(expect=end + 1)])
        assert not isinstance(caught.value, RecordChanged)
        right = Replace(log.name, [end], [b"x"], [b"1"])
        with pytest.raises(Conflict):
            await store.commit(log.session, [right, Append(beside, [b"2"], expect=7)])
        assert await seen(store, log.session) == before

    async def test_with_other_changes(self, store: Store, log: Log) -> None:
        end = await store.append(log, [b"1"])
        beside = Log(log.session, log.beside("beside").name)
        gone = Log(log.session, ":gone")
        await store.append(gone, [b"0"])
        await store.commit(
            log.session,
            [
                Replace(log.name, [end], [b"one"], [b"1"], expect=end),
                Annotate(log.name, b"note"),
                Append(beside.name, [b"2"]),
                Forget(gone.name),
            ],
        )
        assert await payloads_of(store, log) == [b"one"]
        assert (await head_of(store, log)).note == b"note"
        assert await payloads_of(store, beside) == [b"2"]
        assert await payloads_of(store, gone) == []

    async def test_with_a_key_it_happens_once(self, store: Store, twin: Store, log: Log) -> None:
        end = await store.append(log, [b"1"])
        change = Replace(log.name, [end], [b"2"], [b"1"])
        done = await store.commit(log.session, [change], key=Key("replace"))
        again = await twin.commit(log.session, [change], key=Key("replace"))
        assert again == done._replace(replayed=True)
        assert await payloads_of(store, log) == [b"2"]

    async def test_what_is_written_later(self, store: Store, log: Log) -> None:
        """Appends, removals and cuts work as if the record had always been so."""
        await store.append(log, [b"1", b"2", b"3"])
        _, second, third = await positions_of(store, log)
        await _replace(store, log, {second: (b"2", b"two"), third: (b"3", b"three")})
        end = await store.append(log, [b"4"], expect=third)
        await store.commit(log.session, [Append(log.name, [b"5"], expect=end, cut=second)])
        assert await payloads_of(store, log) == [b"1", b"two", b"5"]
        await store.commit(log.session, [Remove(log.name, before=second)])
        assert await payloads_of(store, log) == [b"two", b"5"]

    async def test_wrong_arguments(self, store: Store, log: Log) -> None:
        end = await store.append(log, [b"1"])
        before = await seen(store, log.session)
        for change in (
            Replace(log.name, [end], [], [b"1"]),
            Replace(log.name, [end], [b"2"], []),
            Replace(log.name, [end, end], [b"2", b"2"], [b"1", b"1"]),
            Replace(log.name, [end, 1], [b"2", b"2"], [b"1", b"1"]) if end > 1 else None,
        ):
            if change is not None:
                with pytest.raises(ValueError, match="a Replace"):
                    await store.commit(log.session, [change])
        text = Replace(log.name, [end], [cast("bytes", "2")], [b"1"])
        with pytest.raises(TypeError):
            await store.commit(log.session, [text])
        twice: list[Change] = [Replace(log.name, [end], [b"2"], [b"1"]), Append(log.name, [b"3"])]
        with pytest.raises(ValueError, match="two changes of one commit"):
            await store.commit(log.session, twice)
        assert await seen(store, log.session) == before

    async def test_of_two_at_once_one_wins(self, store: Store, twin: Store, log: Log) -> None:
        for _ in range(10):
            end = await store.append(log, [b"old"])
            outcomes = await asyncio.gather(
                _replace(store, log, {end: (b"old", b"left")}),
                _replace(twin, log, {end: (b"old", b"right")}),
                return_exceptions=True,
            )
            lost = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            assert [type(error) for error in lost] == [RecordChanged]
            won = b"left" if outcomes[0] == end else b"right"
            assert (await payloads_of(store, log))[-1] == won

    async def test_among_appends(self, store: Store, twin: Store, log: Log) -> None:
        await store.append(log, [b"0"] * 20)
        positions = await positions_of(store, log)

        async def replace() -> None:
            for at in positions:
                await _replace(store, log, {at: (b"0", b"1")})

        async def add() -> None:
            for n in range(20):
                await twin.append(log, [b"new %d" % n])

        await asyncio.gather(replace(), add())
        expected = [b"1"] * 20 + [b"new %d" % n for n in range(20)]
        assert await payloads_of(store, log) == expected
