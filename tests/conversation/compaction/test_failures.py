"""After a failure, a summary is not asked for again behind each turn."""

import pytest

from tests.sample_items import answer, user
from turnlog import Compaction, Item, StoredSession
from turnlog.conversation.compaction.automatic import compacted_after
from turnlog.conversation.compaction.failures import Failures
from turnlog.records import Log
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

PLACE = ("store", Log("s", "main"))


def test_by_how_much_it_has_to_change() -> None:
    failures = Failures(0.1)
    assert not failures.is_too_early(PLACE, 100)
    failures.note(PLACE, 100)
    too_early = [tokens for tokens in range(200) if failures.is_too_early(PLACE, tokens)]
    assert too_early == [*range(91, 110)]
    assert not failures.is_too_early(("store", Log("s", "other")), 100)
    assert not failures.is_too_early(("elsewhere", Log("s", "main")), 100)
    failures.note(PLACE, 150)
    assert not failures.is_too_early(PLACE, 100)
    failures.forget(PLACE)
    assert not failures.is_too_early(PLACE, 150)


def test_the_oldest_are_not_remembered_for_ever() -> None:
    failures = Failures(0.1)
    for number in range(10_001):
        failures.note((number, PLACE[1]), 100)
    assert not failures.is_too_early((0, PLACE[1]), 100)
    assert failures.is_too_early((1, PLACE[1]), 100)


class Verbose:
    """A summariser whose summaries are too long, as long as it is told so."""

    def __init__(self) -> None:
        self.asked = 0
        self.words = 10_000

    async def __call__(self, _: list[Item]) -> str:
        self.asked += 1
        return "word " * self.words


async def turn_on(session: StoredSession, compaction: Compaction) -> str:
    """A turn of about 100 tokens, and the outcome of the compaction behind it."""
    async with session.turn("ask " * 40, compaction=compaction) as turn:
        await turn.add([answer("word " * 40)])
    outcome = turn.compaction
    if outcome is None:
        return ""
    assert outcome.because == "max_turns"
    return "waits" if outcome.is_waiting else outcome.failure or "made"


async def test_it_is_asked_for_again_when_a_tenth_was_added() -> None:
    summarise = Verbose()
    session = StoredSession("s", MemoryStore())
    compaction = Compaction(summarise, max_turns=20, keep=1)
    for _ in range(20):
        await session.add_items([user("ask " * 40), answer("word " * 40)])
    seen = [await turn_on(session, compaction) for _ in range(8)]
    failed = "ModelBehaviorError"
    assert seen == [failed, "waits", "waits", failed, "waits", "waits", failed, "waits"]
    assert summarise.asked == 3, "21 turns, 24, 27"
    again = StoredSession("s", session.store)
    summarise.words = 10
    assert await turn_on(again, compaction) == "waits", "also for another session object"
    assert [await turn_on(again, compaction) for _ in range(3)] == ["made", "", ""]
    assert await session.compact(summarise) is not None, "by hand it is asked at once"


async def test_a_conversation_that_has_become_shorter_is_another_one() -> None:
    summarise = Verbose()
    session = StoredSession("s", MemoryStore())
    compaction = Compaction(summarise, max_turns=3, keep=1)
    for _ in range(6):
        await session.add_items([user("ask " * 40), answer("word " * 40)])
    assert (await compacted_after(session, compaction)) is not None
    await session.rewind(turns=2)
    outcome = await compacted_after(session, compaction)
    assert outcome is not None
    assert (summarise.asked, outcome.is_waiting) == (2, False)
