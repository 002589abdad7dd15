"""Notes as compare-and-swap: `Annotate` with `expect`."""

from __future__ import annotations

import asyncio

import pytest

from turnlog.changes import Annotate, Append, Key
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import fill, head_of, payloads_of, seen

__all__ = ["Notes"]

TASKS, STEPS = 6, 4


class Notes:
    """A note is set only if the expected one was there; a conflict shows neither."""

    async def test_the_expected_note(self, store: Store, twin: Store, log: Log) -> None:
        await store.annotate(log, b"1", expect=b"")
        await twin.annotate(log, b"2", expect=b"1")
        await store.annotate(log, b"\x00\xff", expect=b"2")
        await store.annotate(log, b"", expect=b"\x00\xff")
        await store.annotate(log, b"3", expect=b"")
        assert (await head_of(store, log)).note == b"3"

    async def test_another_note_writes_nothing(self, store: Store, twin: Store, log: Log) -> None:
        await fill(store, log.session, "later")
        note = log.name.encode()
        before = await seen(store, log.session)
        for wrong in (b"", note + b"\x00", note[:-1], note.upper()):
            with pytest.raises(Conflict) as caught:
                await twin.annotate(log, b"new", expect=wrong)
            conflict = caught.value
            assert (conflict.log, conflict.expected, conflict.actual) == (log, wrong, note)
        assert await seen(store, log.session) == before

    async def test_a_log_that_does_not_exist_has_no_note(self, store: Store, log: Log) -> None:
        with pytest.raises(Conflict) as caught:
            await store.annotate(log, b"new", expect=b"old")
        assert caught.value.actual == b""
        assert await store.logs(log.session) == []

    async def test_the_words_of_a_conflict_show_no_note(self, store: Store, log: Log) -> None:
        await store.annotate(log, b"her diary")
        with pytest.raises(Conflict) as caught:
            await store.annotate(log, b"his secret", expect=b"their letter")
        shown = f"{caught.value} {caught.value!r}"
        assert log.name in shown
        assert not [word for word in ("diary", "secret", "letter") if word in shown]

    async def test_records_and_a_note_depend_on_each_other(self, store: Store, log: Log) -> None:
        await store.annotate(log, b"0")
        with pytest.raises(Conflict):
            await store.commit(
                log.session, [Append(log.name, [b"1"]), Annotate(log.name, b"1", expect=b"1")]
            )
        with pytest.raises(Conflict):
            await store.commit(
                log.session, [Annotate(log.name, b"1"), Append(log.name, [b"1"], expect=5)]
            )
        head = await head_of(store, log)
        assert (head.length, head.note) == (0, b"0")

    async def test_a_repeated_note_is_set_once(self, store: Store, log: Log) -> None:
        change = [Annotate(log.name, b"1", expect=b"")]
        await store.commit(log.session, change, key=Key("k"))
        await store.annotate(log, b"2")
        assert (await store.commit(log.session, change, key=Key("k"))).replayed
        assert (await head_of(store, log)).note == b"2"

    async def test_no_increment_of_a_note_is_lost(
        self, store: Store, twin: Store, log: Log
    ) -> None:
        async def count(handle: Store) -> None:
            missing = STEPS
            while missing:
                missing -= await _increment(handle, log)

        await asyncio.gather(*(count(handle) for handle in [store, twin] * (TASKS // 2)))
        assert (await head_of(store, log)).note == b"%d" % (TASKS * STEPS)

    async def test_notes_and_records_are_written_at_once(
        self, store: Store, twin: Store, log: Log
    ) -> None:
        async def add(handle: Store) -> None:
            for n in range(STEPS):
                await handle.append(log, [b"%d" % n])

        async def count(handle: Store) -> None:
            missing = STEPS
            while missing:
                missing -= await _increment(handle, log)

        await asyncio.gather(*(work(h) for h in (store, twin) for work in (add, count)))
        assert len(await payloads_of(store, log)) == 2 * STEPS
        assert (await head_of(store, log)).note == b"%d" % (2 * STEPS)


async def _increment(store: Store, log: Log) -> bool:
    """Add one to the number in the note; False if another was faster."""
    found = [head.note for head in await store.logs(log.session) if head.log == log]
    note = found[0] if found else b""
    try:
        await store.annotate(log, b"%d" % (int(note or b"0") + 1), expect=note)
    except Conflict:
        return False
    return True
