"""Listing: `sessions` returns the main logs by the time of their last change, page by page."""

from __future__ import annotations

import asyncio

import pytest

from turnlog.changes import Forget, Key
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import all_sessions, end_of
from turnlog.testing.promises.windows import BEYOND

__all__ = ["Listing"]

#: Some of these begin with others of these, and some look like patterns.
IDS = (
    *("", "a", "A", "ab", "aB", "a%", "a%b", "a_", "a_b", "axb", "a*", "a*b", "a\\", "a\\%b"),
    *("b", "%", "_", "[a]", "é", "e", "é1", "\U0010ffff", "\U0010ffffa", "a\U0010ffff"),
    *("a\ud7ff", "a\ue000", "a\x7f", "a\x80", "\x01", "a'b"),
)


async def _make(store: Store, *sessions: str) -> None:
    for session in sessions:
        await store.append(Log(session), [session.encode()])


class Listing:
    """Every change moves a session to the front; each page continues where the last one ended."""

    async def test_an_empty_store_has_none(self, store: Store) -> None:
        assert await store.sessions() == []
        assert await store.sessions(prefix="a") == []

    async def test_every_session_is_listed_by_its_main_log(self, store: Store) -> None:
        await store.append(Log("a", "side"), [b"1"])
        await store.annotate(Log("b", ":usage"), b"1")
        await store.append(Log("c"), [b"1"])
        await store.append(Log("c", "side"), [b"1"])
        await store.annotate(Log("d"), b"1")
        listed = await store.sessions()
        assert [head.log for head in listed] == [Log("d"), Log("c"), Log("b"), Log("a")]
        assert [head.length for head in listed] == [0, 1, 0, 0]
        await store.append(Log("a"), [b"1"])
        assert await all_sessions(store) == ["a", "d", "c", "b"]

    async def test_heads_are_those_of_logs(self, store: Store, twin: Store) -> None:
        await _make(store, "a", "b")
        await store.append(Log("b", "side"), [b"1", b"2", b"3"])
        await store.annotate(Log("a"), b"note")
        listed = await twin.sessions()
        assert listed == [*(await store.logs("a")), (await store.logs("b"))[0]]

    async def test_the_last_changed_comes_first(self, store: Store) -> None:
        await _make(store, "a", "b", "c", "d")
        assert await all_sessions(store) == ["d", "c", "b", "a"]
        await store.append(Log("b"), [b"2"])
        assert await all_sessions(store) == ["b", "d", "c", "a"]
        await store.remove(Log("c"))
        assert await all_sessions(store) == ["c", "b", "d", "a"]
        await store.annotate(Log("a"), b"note")
        assert await all_sessions(store) == ["a", "c", "b", "d"]

    async def test_what_changes_nothing_moves_nothing(self, store: Store) -> None:
        await store.append(Log("a"), [b"1"], key=Key("k"))
        await _make(store, "b")
        await store.append(Log("a"), [b"1"], key=Key("k"))
        await store.append(Log("a"), [])
        await store.remove(Log("a"), after=await end_of(store, Log("a")))
        await store.append(Log("a", "side"), [b"1"])
        await store.annotate(Log("a", "side"), b"note")
        await store.commit("a", [Forget("side")])
        await store.read(Log("a"))
        assert await all_sessions(store) == ["b", "a"]

    async def test_a_deleted_session_is_gone(self, store: Store) -> None:
        await _make(store, "a", "b", "c")
        await store.delete("b")
        assert await all_sessions(store) == ["c", "a"]
        await _make(store, "b")
        assert await all_sessions(store) == ["b", "c", "a"]

    async def test_a_prefix_is_nothing_but_characters(self, store: Store) -> None:
        await _make(store, *IDS)
        for prefix in (*IDS, "a%b%", "?", "A%", "É"):
            found = await all_sessions(store, prefix=prefix)
            assert sorted(found) == sorted(i for i in IDS if i.startswith(prefix)), prefix

    async def test_pages_of_any_size_show_each_once(self, store: Store) -> None:
        await _make(store, *IDS)
        newest_first = list(reversed(IDS))
        for page in (1, 2, 3, 7, len(IDS) - 1, len(IDS), len(IDS) + 1, *BEYOND):
            assert await all_sessions(store, page=page) == newest_first, page
            assert await all_sessions(store, page=page, oldest=True) == list(IDS), page

    async def test_pages_within_a_prefix(self, store: Store) -> None:
        await _make(store, *IDS)
        expected = [i for i in reversed(IDS) if i.startswith("a")]
        for page in (1, 2, 5):
            assert await all_sessions(store, prefix="a", page=page) == expected, page
            found = await all_sessions(store, prefix="a", page=page, oldest=True)
            assert found == expected[::-1], page

    async def test_from_any_head_on_in_both_directions(self, store: Store, twin: Store) -> None:
        await _make(store, *IDS)
        heads = await store.sessions(limit=100)
        assert len(heads) == len(IDS)
        for n, head in enumerate(heads):
            assert await twin.sessions(after=head.cursor, limit=100) == heads[n + 1 :]
            back = await twin.sessions(after=head.cursor, limit=100, oldest=True)
            assert back == heads[:n][::-1]
            assert await store.sessions(after=head.cursor, limit=2, oldest=True) == back[:2]

    async def test_a_change_moves_a_session_to_the_other_end(self, store: Store) -> None:
        await _make(store, "a", "b", "c")
        assert await all_sessions(store, oldest=True) == ["a", "b", "c"]
        await store.annotate(Log("a"), b"note")
        assert await all_sessions(store, oldest=True) == ["b", "c", "a"]
        await store.append(Log("b", "side"), [b"1"])
        assert await all_sessions(store, oldest=True) == ["b", "c", "a"]
        await store.delete("b")
        assert await all_sessions(store, oldest=True) == ["c", "a"]

    async def test_sessions_made_at_once_are_paged_too(self, store: Store, twin: Store) -> None:
        ids = [f"s{n}" for n in range(20)]
        handles = [store, twin] * 10
        await asyncio.gather(*(_make(h, i) for h, i in zip(handles, ids, strict=True)))
        for page in (1, 3, 50):
            found = await all_sessions(store, page=page)
            assert sorted(found) == sorted(ids)
            assert await all_sessions(store, page=page, oldest=True) == found[::-1]

    async def test_changes_between_pages_hide_no_other(self, store: Store) -> None:
        await _make(store, "a", "b", "c", "d", "e", "f")
        first = await store.sessions(limit=2)
        await _make(store, "f", "new")
        await store.delete("e")
        second = await store.sessions(after=first[-1].cursor)
        assert [head.log.session for head in second] == ["d", "c", "b", "a"]
        third = await store.sessions(limit=2, oldest=True)
        await _make(store, "b", "newer")
        await store.delete("a")
        fourth = await store.sessions(after=third[-1].cursor, oldest=True)
        assert [head.log.session for head in fourth] == ["c", "d", "f", "new", "b", "newer"]

    async def test_a_limit_of_zero_and_below(self, store: Store) -> None:
        await _make(store, "a")
        for oldest in (False, True):
            assert await store.sessions(limit=0, oldest=oldest) == []
            with pytest.raises(ValueError, match="limit"):
                await store.sessions(limit=-1, oldest=oldest)
