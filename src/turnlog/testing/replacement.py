"""The promises of replacing stored items, as the SDK's compaction wrapper does it."""

from __future__ import annotations

from typing import Any

import pytest

from turnlog.conversation.session import StoredSession
from turnlog.errors import Conflict
from turnlog.items.json import Item
from turnlog.records import Log
from turnlog.testing.conversation import said
from turnlog.testing.three_turns import ask_and_die, turns

__all__ = ["Replacement"]

SUMMARY: Item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}
ITEMS = [said(str(number)) for number in range(4)]


def _other(session: StoredSession) -> StoredSession:
    return StoredSession(session.session_id, session.store, branch=session.branch)


def _log(session: StoredSession) -> Log:
    return Log(session.session_id, session.branch)


async def _snapshot(session: StoredSession, limit: int = 10, **options: Any) -> Any:
    return await session._get_compaction_snapshot(limit, **options)  # noqa: SLF001 - the SDK's name


async def _replace(session: StoredSession, *items: Item) -> bool:
    return await session._atomic_replace_items([*items])  # noqa: SLF001 - the SDK's name


class Replacement:
    """The newest items are replaced in one step, if nobody has written meanwhile."""

    @pytest.mark.parametrize(("limit", "complete"), [(3, False), (4, True), (9, True)])
    async def test_a_snapshot_has_the_newest_items(
        self, stored: StoredSession, limit: int, complete: bool
    ) -> None:
        await stored.add_items(ITEMS)
        snapshot = await _snapshot(stored, limit)
        assert (snapshot.items, snapshot.complete) == (ITEMS[-limit:], complete)

    async def test_a_suffix_is_replaced(self, stored: StoredSession) -> None:
        await stored.add_items(ITEMS)
        snapshot = await _snapshot(stored, 3)
        assert await snapshot.replace_suffix(1, [SUMMARY, said("new")])
        assert await stored.get_items() == [*ITEMS[:2], SUMMARY, said("new")]
        assert not await snapshot.replace_suffix(1, [SUMMARY])
        assert not await snapshot.replace_suffix(3, [SUMMARY])
        assert await stored.get_items() == [*ITEMS[:2], SUMMARY, said("new")]

    async def test_a_replacement_may_be_empty(self, stored: StoredSession) -> None:
        await stored.add_items(ITEMS)
        assert await (await _snapshot(stored)).replace_suffix(3, [])
        assert await stored.get_items() == ITEMS[:3]
        assert await _replace(stored)
        assert await stored.get_items() == []
        assert (await _snapshot(stored)).items == []
        assert not await (await _snapshot(stored)).replace_suffix(0, [SUMMARY])

    async def test_a_suffix_that_another_changed_stays(self, stored: StoredSession) -> None:
        await stored.add_items(ITEMS)
        snapshot = await _snapshot(stored)
        await _other(stored).add_items([said("meanwhile")])
        assert not await snapshot.replace_suffix(0, [SUMMARY])
        assert await stored.get_items() == [*ITEMS, said("meanwhile")]
        await stored.pop_item()
        assert not await snapshot.replace_suffix(4, [SUMMARY])
        await stored.pop_item()
        assert not await snapshot.replace_suffix(0, [SUMMARY])
        assert await stored.get_items() == ITEMS[:3]

    async def test_records_that_can_not_be_decoded_stay(self, stored: StoredSession) -> None:
        await stored.add_items(ITEMS[:2])
        await stored.store.append(_log(stored), [b"broken"])
        await stored.add_items(ITEMS[2:])
        snapshot = await _snapshot(stored)
        assert (snapshot.items, snapshot.complete) == (ITEMS[2:], False)
        assert await snapshot.replace_suffix(0, [SUMMARY])
        assert await stored.get_items() == [*ITEMS[:2], SUMMARY]
        assert await _replace(stored, SUMMARY)
        payloads = [record.payload for record in await stored.store.read(_log(stored))]
        assert payloads[1:] == [b"broken"]
        assert await stored.get_items() == [SUMMARY]

    async def test_expired_items_go_with_a_replacement(self, stored: StoredSession) -> None:
        def is_expired(item: Item) -> bool:
            return int(item["content"]) < 2

        await stored.add_items(ITEMS)
        snapshot = await _snapshot(stored, 1, prune_prefix=is_expired)
        assert await snapshot.replace_suffix(0, [SUMMARY])
        assert await stored.get_items() == [ITEMS[2], SUMMARY]

    async def test_all_is_replaced_at_once(self, stored: StoredSession) -> None:
        await stored.add_items(ITEMS)
        await stored.get_items()
        await stored.add_items([said("own")])
        assert await _replace(stored, SUMMARY)
        assert await stored.get_items() == [SUMMARY]

    async def test_all_is_replaced_without_a_read(self, stored: StoredSession) -> None:
        await _other(stored).add_items(ITEMS)
        assert await _replace(stored, SUMMARY, said("kept"))
        assert await stored.get_items() == [SUMMARY, said("kept")]

    async def test_what_others_add_meanwhile_stays(self, stored: StoredSession) -> None:
        await stored.add_items(ITEMS)
        await stored.get_items()
        await stored.add_items([said("own")])
        await _other(stored).add_items([said("theirs"), said("theirs too")])
        await stored.add_items([said("own")])
        before = await stored.store.read(_log(stored))
        for _ in range(2):
            assert await _replace(stored, SUMMARY)
            left = await stored.store.read(_log(stored))
            assert left.payloads[1:] == before.payloads[5:7]
            assert list(left.times[1:]) == pytest.approx(list(before.times[5:7]), abs=0.01)

    async def test_what_others_removed_meanwhile_does_not_come_back(
        self, stored: StoredSession
    ) -> None:
        await stored.add_items(ITEMS)
        await stored.get_items()
        await _other(stored).pop_item()
        with pytest.raises(Conflict):
            await _replace(stored, SUMMARY)
        assert await stored.get_items() == ITEMS[:3]
        assert await _replace(stored, SUMMARY)
        assert await stored.get_items() == [SUMMARY]

    async def test_a_replacement_changes_nothing_beside_the_branch(
        self, stored: StoredSession
    ) -> None:
        await stored.add_items(ITEMS)
        await stored.store.annotate(_log(stored), b'{"title": "T"}')
        beside, elsewhere = _log(stored).beside("usage"), Log(stored.session_id, "elsewhere")
        for log in (beside, elsewhere):
            await stored.store.append(log, [b'{"a": 1}'])
        before = {head.log: head for head in await stored.store.logs(stored.session_id)}
        assert await (await _snapshot(stored)).replace_suffix(1, [SUMMARY])
        assert await _replace(stored, SUMMARY)
        after = {head.log: head for head in await stored.store.logs(stored.session_id)}
        assert [after[log] for log in (beside, elsewhere)] == [before[beside], before[elsewhere]]
        assert after[_log(stored)].note == b'{"title": "T"}'

    async def test_a_turn_replaces_under_its_lease(self, stored: StoredSession) -> None:
        await stored.add_items(ITEMS)
        async with stored.turn("ask") as turn:
            assert await (await _snapshot(stored)).replace_suffix(0, [SUMMARY])
            assert await _replace(stored, SUMMARY, said("ask"))
            await turn.add([{"role": "assistant", "content": "answer"}])
        assert [item.get("content") for item in await stored.get_items()] == [None, "ask", "answer"]

    async def test_a_question_in_the_place_of_a_summary_is_a_new_one(
        self, stored: StoredSession
    ) -> None:
        await stored.add_items(turns(1))
        assert await _replace(stored, SUMMARY, said("1"))
        assert await stored.pop_item() == said("1")
        assert await ask_and_die(stored, "1") == 2
        assert await ask_and_die(stored, "1") == 2
