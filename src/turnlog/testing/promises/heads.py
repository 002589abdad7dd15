"""Heads and notes: `logs` and `annotate`."""

from __future__ import annotations

import time

import pytest

from turnlog.records import Log
from turnlog.store import Head, Store
from turnlog.testing.looking import head_of, payloads_of, positions_of

__all__ = ["Heads"]

# Servers have clocks of their own. What this is to catch, such as local time taken for
# UTC or milliseconds for seconds, is further off.
TOLERANCE = 60.0

NAMES = (":usage", ":ö", "A", "a", "b", "main", "ä", "\ue000", "😀")


def _told(head: Head) -> tuple[Log, int, int, bytes]:
    return head.log, head.last, head.length, head.note


class Heads:
    """Heads are complete, ordered by name, and correct after every change."""

    async def test_every_log_by_name(self, store: Store) -> None:
        for n, name in enumerate(reversed(NAMES)):
            await store.append(Log("a", name), [b"1"] * (n + 1))
        await store.append(Log("b", "elsewhere"), [b"1"])
        heads = await store.logs("a")
        assert [head.log for head in heads] == [Log("a", name) for name in NAMES]
        assert [head.length for head in heads] == list(range(len(NAMES), 0, -1))

    async def test_a_session_that_does_not_exist_has_none(self, store: Store) -> None:
        assert await store.logs("a") == []

    async def test_the_end_and_the_length(self, store: Store, twin: Store, log: Log) -> None:
        await store.append(log, [b"1", b"2", b"3"])
        positions = await positions_of(store, log)
        assert _told(await head_of(twin, log)) == (log, positions[2], 3, b"")
        await store.remove(log, before=positions[1])
        assert _told(await head_of(twin, log)) == (log, positions[2], 2, b"")
        await store.remove(log, after=positions[1])
        assert _told(await head_of(twin, log)) == (log, positions[1], 1, b"")
        last = await store.append(log, [b"4"])
        assert _told(await head_of(twin, log)) == (log, last, 2, b"")

    async def test_a_note_makes_the_log(self, store: Store, log: Log) -> None:
        await store.annotate(log, b"title")
        assert _told(await head_of(store, log)) == (log, 0, 0, b"title")
        assert await store.append(log, [b"1"], expect=0) > 0

    async def test_a_note_keeps_the_records(self, store: Store, twin: Store, log: Log) -> None:
        last = await store.append(log, [b"1", b"2"])
        await twin.annotate(log, b"title")
        assert _told(await head_of(store, log)) == (log, last, 2, b"title")
        assert await payloads_of(store, log) == [b"1", b"2"]
        assert await store.append(log, [b"3"], expect=last) > last
        assert (await head_of(store, log)).note == b"title"

    @pytest.mark.parametrize(
        "note", [b"", b"\x00", b"a\x00b", b"\xff\xfe", bytes(range(256)), b"0"], ids=repr
    )
    async def test_any_note_replaces_the_last(self, store: Store, log: Log, note: bytes) -> None:
        for stored in (b"first", note, b"last", note):
            await store.annotate(log, stored)
            head = await head_of(store, log)
            assert head.note == stored
            assert type(head.note) is bytes

    async def test_a_note_belongs_to_one_log(self, store: Store, log: Log) -> None:
        others = (Log(log.session, "side"), Log("other", log.name))
        for other in others:
            await store.annotate(other, b"other")
        await store.append(log, [b"1"])
        assert (await head_of(store, log)).note == b""
        await store.annotate(log, b"mine")
        for other in others:
            assert (await head_of(store, other)).note == b"other"

    async def test_times_of_changes(self, store: Store, log: Log) -> None:
        begun = time.time()
        last = await store.append(log, [b"1"])
        heads = [await head_of(store, log)]
        await store.append(log, [b"2"])
        heads.append(await head_of(store, log))
        await store.remove(log, after=last)
        heads.append(await head_of(store, log))
        await store.annotate(log, b"note")
        heads.append(await head_of(store, log))
        ended = time.time()

        assert len({head.created_at for head in heads}) == 1
        changes = [head.updated_at for head in heads]
        assert changes == sorted(changes)
        assert heads[0].created_at <= changes[0]
        records = await store.read(log)
        moments = [heads[0].created_at, *changes, *(record.created_at for record in records)]
        assert begun - TOLERANCE <= min(moments)
        assert max(moments) <= ended + TOLERANCE

    async def test_a_record_keeps_its_time(self, store: Store, log: Log) -> None:
        await store.append(log, [b"1"])
        (first,) = await store.read(log)
        await store.append(log, [b"2"])
        await store.annotate(log, b"note")
        assert (await store.read(log))[0] == first
