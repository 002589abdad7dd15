"""Views in another form than what is stored: markers, and compaction items of a provider."""

from random import Random

import pytest

from tests.conversation.reading.test_explain import accounted_for
from tests.items.test_shortening import LONG, talk
from tests.providers.view_rules import accepted_everywhere
from tests.random_histories import history
from tests.sample_items import answer, user
from tests.sizes import HISTORIES
from turnlog import Item, Log, Shorten, StoredSession
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

SEALED: Item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}
SHORT = {"shorten": Shorten(keep=1, step=2)}
READS = {"reads_compaction": True}


@pytest.fixture
def session() -> StoredSession:
    return StoredSession("s", MemoryStore())


async def test_the_beginning_stays_the_same_between_steps(session: StoredSession) -> None:
    """Each view begins with the one before, but where the boundary moves."""
    settings = {"shorten": Shorten(keep=1, step=5)}
    before: list[Item] = []
    moves = 0
    for turn in range(30):
        await session.add_items(talk(turn + 1)[-4:])
        view = await session.view(settings=settings)
        moves += view[: len(before)] != before
        before = view
    assert moves == 5


async def test_a_window_has_room_for_more_turns_with_markers(session: StoredSession) -> None:
    await session.add_items(talk(10))
    bound = {"max_tokens": 900}
    plain = await session.view(settings=bound)
    assert len(await session.view(settings={**bound, **SHORT})) > len(plain) > 0


async def test_markers_count_turns_behind_a_summary_as_without_it(session: StoredSession) -> None:
    async def summed(items: list[Item]) -> str:
        return "summed up"

    await session.add_items(talk(11))
    before = await session.view(settings=SHORT)
    await session.compact(summed, keep=6)
    assert (await session.view(settings=SHORT))[1:] == before[-6 * 4 :]


async def test_an_explanation_tells_of_markers(session: StoredSession) -> None:
    await session.add_items(talk(4))
    explanation = await session.explain(SHORT)
    changed = [each for each in explanation.shown if each.did == "changed"]
    assert [each.position for each in changed] == [3, 7]
    assert all("An old output of a tool" in each.why for each in changed)
    assert (await session.history())[2]["output"] == LONG


async def sealed_in(session: StoredSession) -> None:
    await session.add_items([user("q1"), answer("a1"), user("q2"), SEALED, answer("a2")])
    await session.add_items([user("q3"), answer("a3")])


async def test_a_model_that_can_read_it_begins_at_the_newest_compaction_item(
    session: StoredSession,
) -> None:
    await sealed_in(session)
    assert await session.view(settings=READS) == [SEALED, answer("a2"), user("q3"), answer("a3")]
    await session.add_items([user("q4"), {**SEALED, "id": "cmp_2"}, answer("a4")])
    assert await session.view(settings=READS) == [{**SEALED, "id": "cmp_2"}, answer("a4")]


async def test_others_are_shown_what_it_stands_for(session: StoredSession) -> None:
    await sealed_in(session)
    view = await session.view()
    assert view == [each for each in await session.history() if each != SEALED]
    assert [each.position for each in (await session.explain()).left_out] == [4]


async def test_get_items_gives_it_as_stored(session: StoredSession) -> None:
    await sealed_in(session)
    assert SEALED in await session.get_items()
    session.session_settings = {"max_turns": 2}
    assert SEALED in await session.get_items()


async def test_a_window_without_room_for_it_leaves_it_out(session: StoredSession) -> None:
    await sealed_in(session)
    assert await session.view(4, settings=READS) == [
        SEALED,
        answer("a2"),
        user("q3"),
        answer("a3"),
    ]
    assert await session.view(3, settings=READS) == [user("q3"), answer("a3")]
    explanation = await session.explain({**READS, "limit": 3})
    assert [each.position for each in explanation.left_out] == [1, 2, 3, 4, 5]


async def test_a_sealed_summary_is_for_its_provider_alone(session: StoredSession) -> None:
    class Sealing:
        reads_compaction = True

        async def __call__(self, items: list[Item]) -> list[Item]:
            return [user("q1"), SEALED]

    seen: list[list[Item]] = []

    async def plain(items: list[Item]) -> str:
        seen.append(items)
        return "summed up"

    await session.add_items(talk(6))
    whole = await session.view()
    await session.compact(Sealing(), keep=3)
    assert (await session.view(settings=READS))[:2] == [user("q1"), SEALED]
    assert await session.view() == whole
    assert (await session.get_items())[:2] == [user("q1"), SEALED]
    async with session.turn("next") as turn:
        assert turn.input == [*whole, user("next")]
        await turn.add([answer("a")])
    # A summariser that can't read it gets what it stands for.
    await session.compact(plain, keep=1)
    assert seen[0][:8] == whole[:8]
    assert SEALED not in await session.view(settings=READS)


@pytest.mark.proof
async def test_changed_views_of_all_histories_are_accepted() -> None:
    rng = Random(5)
    store = MemoryStore()

    async def summed(items: list[Item]) -> str:
        accepted_everywhere(items)
        return "summed up"

    changed = 0
    for seed in range(HISTORIES):
        session = StoredSession(f"s{seed}", store)
        items = [*history(seed), *history(HISTORIES + seed)]
        items.insert(rng.randint(0, len(items)), SEALED)
        await session.add_items(items)
        stored = await store.read(Log(f"s{seed}"))
        if rng.random() < 0.3:
            await session.compact(summed, keep=rng.randint(0, 2))
        shorten = Shorten(rng.randint(1, 2), rng.randint(1, 2), 0)
        settings = {
            "shorten": rng.choice([None, shorten, shorten]),
            "reads_compaction": rng.choice([None, True]),
            "max_tokens": rng.choice([None, None, 50, 300]),
            "max_turns": rng.choice([None, None, 2]),
        }
        view = await session.view(settings=settings)
        accepted_everywhere(view)
        explanation = await session.explain(settings)
        assert [each.item for each in explanation.shown] == view
        if not any(each.position is None for each in explanation.shown):
            by_position = dict(zip(stored.positions, items, strict=True))
            accounted_for(explanation, by_position, view)
        changed += any("shorten" in each.why for each in explanation.shown)
        assert await session.history() == items
    assert changed > HISTORIES / 10
