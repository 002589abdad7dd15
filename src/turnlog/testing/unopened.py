"""Promises about records that could not be opened, on every store, as a test class."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from turnlog.conversation.branches.positions import Position
from turnlog.conversation.session import StoredSession
from turnlog.conversation.usage.usage import Usage
from turnlog.errors import Unreadable
from turnlog.records import Log, Records
from turnlog.testing.conversation import said
from turnlog.testing.looking import seen
from turnlog.testing.three_turns import ThreeTurns, on_branch, turns
from turnlog.testing.unopening import Unopening

__all__ = ["UnopenedTests"]

#: A record that begins as a sealed one does.
SEALED = b"\xf5T\x01\x01" + bytes(60)

_Act: TypeAlias = Callable[[StoredSession], Awaitable[object]]

#: What is refused as long as the last record can't be opened.
REFUSED: dict[str, _Act] = {
    "pop_item": lambda session: session.pop_item(),
    "fork": lambda session: session.fork("copy"),
    "rewind by turns": lambda session: session.rewind(turns=1),
    "rewind by number": lambda session: session.rewind(turn=1),
    "rewind with a copy": lambda session: session.rewind(position=0, keep_as="copy"),
    "replacement": lambda session: session._atomic_replace_items([said("summary")]),  # noqa: SLF001 - called by the SDK
}

#: What needs the key of an encrypted record.
KEYED: dict[str, _Act] = {
    **REFUSED,
    "get_items": lambda session: session.get_items(),
    "the newest": lambda session: session.get_items(1),
    "view": lambda session: session.view(),
    "explain": lambda session: session.explain(),
    "turns": lambda session: session.turns(),
    "fork up to there": lambda session: session.fork("copy", at=Position(10**6)),
    "rewind to a position": lambda session: session.rewind(position=0),
    "snapshot": lambda session: session._get_compaction_snapshot(10),  # noqa: SLF001 - called by the SDK
    "diff": lambda session: session.diff("main"),
}


class UnopenedTests(ThreeTurns):
    """Promises of a session about records that a layer could not open, or was not asked to.

    The class that inherits it has `stored`.
    """

    @pytest.fixture
    def layer(self, stored: StoredSession) -> Unopening:
        """In front of the store, without damage."""
        return Unopening(stored.store)

    @pytest.fixture
    def behind(self, talk: StoredSession, layer: Unopening) -> StoredSession:
        """A session with three turns that reads through `layer`."""
        return StoredSession(talk.session_id, layer, branch=talk.branch)

    async def test_they_are_left_out_and_counted_and_stay(
        self, behind: StoredSession, layer: Unopening, caplog: pytest.LogCaptureFixture
    ) -> None:
        log = Log(behind.session_id, behind.branch)
        records = await layer.read(log)
        layer.damage(log, records.positions[1])
        expected = [item for place, item in enumerate(turns(1, 2, 3)) if place != 1]
        with caplog.at_level(logging.WARNING, logger="turnlog"):
            for _ in range(2):
                assert await behind.get_items() == expected
            assert await behind.get_items(5) == expected
        assert behind.unreadable == {records.positions[1]}
        [logged] = caplog.records
        assert str(records.positions[1]) in logged.getMessage()
        assert "it was damaged on purpose" in logged.getMessage()
        assert "answer" not in caplog.text
        assert await layer.inner.read(log) == records

    async def test_a_view_leaves_them_out_with_the_reason(
        self, behind: StoredSession, layer: Unopening
    ) -> None:
        log = Log(behind.session_id, behind.branch)
        position = (await layer.read(log)).positions[1]
        layer.damage(log, position)
        explanation = await behind.explain()
        assert [each.item for each in explanation.shown] == await behind.view()
        [left_out] = explanation.left_out
        assert left_out.position == position
        assert left_out.why == "It can't be opened: it was damaged on purpose."

    async def test_a_pop_behind_them_removes_one_item(
        self, behind: StoredSession, layer: Unopening
    ) -> None:
        log = Log(behind.session_id, behind.branch)
        layer.damage(log, (await layer.read(log)).positions[-2])
        assert await behind.pop_item() == turns(3)[1]
        with pytest.raises(Unreadable):
            await behind.pop_item()
        assert len(await layer.read(log)) == 5

    @pytest.mark.parametrize("act", REFUSED.values(), ids=REFUSED.keys())
    async def test_a_newest_record_that_was_not_opened_is_not_removed(
        self, behind: StoredSession, layer: Unopening, act: _Act
    ) -> None:
        log = Log(behind.session_id, behind.branch)
        position = (await layer.read(log)).positions[-1]
        layer.damage(log, position)
        before = await seen(layer.inner, behind.session_id)
        with pytest.raises(Unreadable, match="damaged on purpose") as caught:
            await act(behind)
        assert (caught.value.log, caught.value.position) == (log, position)
        assert await seen(layer.inner, behind.session_id) == before

    async def test_a_pop_does_not_pass_one_behind_broken_records(
        self, behind: StoredSession, layer: Unopening
    ) -> None:
        log = Log(behind.session_id, behind.branch)
        layer.damage(log, (await layer.read(log)).positions[-1])
        await layer.append(log, [b"no JSON", b"[]"])
        before = await layer.inner.read(log)
        with pytest.raises(Unreadable):
            await behind.pop_item()
        assert await layer.inner.read(log) == before

    async def test_one_that_is_named_by_its_place_can_be_dropped(
        self, behind: StoredSession, layer: Unopening
    ) -> None:
        log = Log(behind.session_id, behind.branch)
        positions = (await layer.read(log)).positions
        layer.damage(log, positions[-1])
        assert await behind.rewind(position=positions[-2]) == 1
        assert await behind.get_items() == turns(1, 2, 3)[:-1]

    async def test_a_fork_up_to_before_it_and_an_edit_in_its_place_work(
        self, behind: StoredSession, layer: Unopening
    ) -> None:
        log = Log(behind.session_id, behind.branch)
        positions = (await layer.read(log)).positions
        layer.damage(log, positions[4])
        fork = await behind.fork(at=Position(positions[3]))
        assert await fork.get_items() == turns(1, 2)
        edited = await behind.edit(positions[4], said("asked anew"))
        assert await edited.get_items() == [*turns(1, 2), said("asked anew")]

    async def test_a_replacement_of_what_follows_keeps_them(
        self, behind: StoredSession, layer: Unopening
    ) -> None:
        log = Log(behind.session_id, behind.branch)
        records = await layer.read(log)
        layer.damage(log, records.positions[1])
        snapshot = await behind._get_compaction_snapshot(10)  # noqa: SLF001 - called by the SDK
        assert snapshot is not None
        assert (snapshot.items, snapshot.complete) == (turns(2, 3), False)
        assert await snapshot.replace_suffix(0, [said("summary")])
        kept = await layer.inner.read(log)
        assert kept[:2] == records[:2]
        assert await behind.get_items() == [turns(1)[0], said("summary")]

    async def test_usage_that_was_not_opened_is_not_counted(
        self, behind: StoredSession, layer: Unopening
    ) -> None:
        usage = Log(behind.session_id, behind.branch).beside("usage")
        for _ in range(2):
            async with behind.turn("more", usage=Usage(input_tokens=7)) as turn:
                await turn.add([{"role": "assistant", "content": "done"}])
        assert (await behind.usage()).input_tokens == 14
        layer.damage(usage, (await layer.read(usage)).positions[0])
        assert (await behind.usage()).input_tokens == 7

    async def test_a_claim_that_was_not_opened_expires(
        self, behind: StoredSession, layer: Unopening
    ) -> None:
        log = Log(behind.session_id, behind.branch)
        lease = log.beside("lease")
        end = await layer.append(lease, [b'{"holder":"h","seconds":1e9,"until":1e12}'])
        layer.damage(lease, end)
        async with behind.turn("asked", lease_seconds=0.2):
            pass
        assert (await behind.get_items())[-1] == said("asked")

    async def test_a_name_is_not_given_while_the_registry_was_not_opened(
        self, behind: StoredSession, layer: Unopening
    ) -> None:
        await behind.fork("first")
        registry = Log(behind.session_id).beside("branches")
        layer.damage(registry, *(await layer.read(registry)).positions)
        with pytest.raises(Unreadable) as caught:
            await behind.fork("second")
        assert caught.value.log == registry
        assert "first" in {branch.name for branch in await behind.branches()}
        assert await (await behind.fork()).get_items() == turns(1, 2, 3)

    async def test_a_note_that_was_not_opened_is_told_and_stays(
        self, behind: StoredSession, layer: Unopening
    ) -> None:
        main = Log(behind.session_id)
        await behind.describe(title="secret", hold=True)
        layer.damage_note(main)
        with pytest.raises(Unreadable, match="the note can't be read"):
            await behind.about()
        with pytest.raises(Unreadable):
            await behind.describe(title="another")
        await on_branch(behind, "main").clear_session()
        there = StoredSession(behind.session_id, layer.inner)
        assert (await there.about()).hold
        assert await there.get_items() == []

    @pytest.mark.parametrize("act", KEYED.values(), ids=KEYED.keys())
    async def test_what_is_encrypted_needs_a_layer(self, talk: StoredSession, act: _Act) -> None:
        end = await talk.store.append(Log(talk.session_id, talk.branch), [SEALED])
        if act is KEYED["fork up to there"]:
            await talk.fork(at=Position((await self._stored(talk)).positions[-2]))
            act = lambda session: session.fork("copy", at=Position(end))  # noqa: E731 - as above
        before = await self._stored(talk)
        with pytest.raises(Unreadable, match="--key-file"):
            await act(talk)
        assert await self._stored(talk) == before

    async def test_what_is_encrypted_can_be_cleared_without_a_layer(
        self, talk: StoredSession
    ) -> None:
        main = on_branch(talk, "main")
        await talk.store.append(Log(talk.session_id), [SEALED])
        await talk.store.annotate(Log(talk.session_id), SEALED)
        with pytest.raises(Unreadable, match="--key-file"):
            await main.about()
        await main.clear_session()
        assert await main.get_items() == []
        heads = {head.log.name: head for head in await talk.store.logs(talk.session_id)}
        assert heads["main"].note == SEALED  # it may hold the conversation

    async def _stored(self, session: StoredSession) -> Records:
        return await session.store.read(Log(session.session_id, session.branch))
