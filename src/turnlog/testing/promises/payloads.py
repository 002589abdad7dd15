"""Payloads: any bytes, of any size and number, come back unchanged."""

from __future__ import annotations

from typing import Any, cast

import pytest

from turnlog.changes import Key
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import payloads_of, seen

__all__ = ["Payloads"]

BYTES = (
    *(b"", b" ", b"\n", b"\r\n", b"\x00", b"\x00a", b"a\x00", b"a\x00b\x00"),
    *(b"\xff", b"\xff\xfe\x00", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf{}"),
    *(b"0", b"007", b"1.0", b"1e3", b"-0", b"NULL", b"null", b"None", b"true", b"''", b"x'00'"),
    *(b'{"b": 1, "a": 1}', b'{"a":1,"a":2}', b"{", "é😀\U0010ffff".encode(), bytes(range(256))),
)

#: Each with something that is not bytes in it.
WRONG = (
    [b"1", "2"],
    ["1"],
    [b"1", None],
    [b"1", 2],
    [bytearray(b"1")],
    b"123",
    "123",
)


class Payloads:
    """Any payload is read as it was written."""

    async def test_any_bytes_in_one_append(self, store: Store, log: Log) -> None:
        await store.append(log, BYTES)
        stored = await payloads_of(store, log)
        assert stored == list(BYTES)
        assert {type(payload) for payload in stored} == {bytes}

    async def test_any_bytes_one_at_a_time(self, store: Store, log: Log) -> None:
        for payload in BYTES:
            await store.append(log, [payload])
        assert await payloads_of(store, log) == list(BYTES)

    async def test_a_megabyte(self, store: Store, log: Log) -> None:
        big = bytes(range(256)) * 4096
        await store.append(log, [b"before", big, b"after"])
        assert await payloads_of(store, log) == [b"before", big, b"after"]

    async def test_a_thousand_payloads_at_once(self, store: Store, log: Log) -> None:
        many = [b"%d" % n for n in range(1000)]
        await store.append(log, many)
        assert await payloads_of(store, log) == many

    async def test_a_tuple_is_as_good_as_a_list(self, store: Store, log: Log) -> None:
        await store.append(log, (b"1", b"2"))
        assert await payloads_of(store, log) == [b"1", b"2"]

    async def test_a_list_that_changes_later_changes_nothing(self, store: Store, log: Log) -> None:
        given = [b"1", b"2"]
        await store.append(log, given)
        given.append(b"3")
        assert await payloads_of(store, log) == [b"1", b"2"]

    async def test_what_was_read_changes_no_more(self, store: Store, log: Log) -> None:
        await store.append(log, [b"1", b"2"])
        shown = await store.read(log)
        await store.append(log, [b"3"])
        await store.remove(log, before=shown.positions[1])
        await store.delete(log.session)
        assert list(shown.payloads) == [b"1", b"2"]

    @pytest.mark.parametrize("wrong", WRONG, ids=repr)
    async def test_what_is_not_bytes_is_refused(
        self, store: Store, log: Log, wrong: list[Any]
    ) -> None:
        await store.append(log, [b"0"])
        before = await seen(store, log.session)
        with pytest.raises(TypeError):
            await store.append(log, wrong, key=Key("k"))
        with pytest.raises(TypeError):
            await store.append(Log("new"), wrong)
        assert await seen(store, log.session) == before
        assert await store.logs("new") == []
        await store.append(log, [b"1"], key=Key("k"))
        assert await payloads_of(store, log) == [b"0", b"1"]

    @pytest.mark.parametrize("wrong", ["note", None, 7, bytearray(b"note")], ids=repr)
    async def test_a_note_that_is_not_bytes_is_refused(
        self, store: Store, log: Log, wrong: object
    ) -> None:
        with pytest.raises(TypeError):
            await store.annotate(log, cast("bytes", wrong))
        assert await store.logs(log.session) == []
