"""Runs with compaction: when a summary is made, what a model is shown, and what happens if not."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.fake_models import Script
from tests.sample_items import answer, call
from tests.sizes import TALK
from turnlog import (
    Agent,
    Compaction,
    Item,
    ModelRequest,
    ModelResponse,
    RunConfig,
    Runner,
    RunResult,
    SessionSettings,
    StoredSession,
    Summarised,
    Usage,
    function_tool,
)
from turnlog.items.repair import repair
from turnlog.items.tokens import estimated_tokens
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

BOUND = 20_000


def tokens(items: Sequence[Item]) -> int:
    return sum(map(estimated_tokens, items))


class Talker:
    """A model that answers at length, and counts what it is sent and what a cache would have."""

    def __init__(self, words: int = 60, *, reports: bool = False) -> None:
        self.words = words
        self.reports = reports
        self.sent: list[int] = []
        self.cached: list[int] = []
        self.shown: list[list[Item]] = []
        self._last: list[str] = []

    async def respond(self, request: ModelRequest) -> ModelResponse:
        written = [json.dumps(item, sort_keys=True) for item in request.items]
        same = 0
        for one, other in zip(written, self._last, strict=False):
            if one != other:
                break
            same += 1
        self._last = written
        self.sent.append(tokens(request.items))
        self.cached.append(tokens(request.items[:same]))
        self.shown.append(request.items)
        usage = Usage(self.sent[-1], 5, requests=1) if self.reports else Usage()
        return ModelResponse([answer("word " * self.words)], usage)


class Summing:
    """A summariser that counts what it is sent."""

    def __init__(self, words: int = 200) -> None:
        self.words = words
        self.sent: list[int] = []

    async def __call__(self, items: list[Item]) -> Summarised:
        self.sent.append(tokens(items))
        usage = {"input_tokens": self.sent[-1], "output_tokens": self.words}
        return Summarised("fact " * self.words, "sums", usage)


def configured(summarise: object, **given: object) -> RunConfig:
    given = {"token_counter": estimated_tokens, **given}
    return RunConfig(compaction=Compaction(summarise, **given))  # type: ignore[arg-type]


@pytest.fixture
async def session() -> AsyncIterator[StoredSession]:
    async with MemoryStore() as store:
        yield StoredSession("s", store)


async def talked(
    session: StoredSession, model: object, config: RunConfig, turns: int, words: int = 30
) -> list[RunResult]:
    agent = Agent("Talker", model=model)  # type: ignore[arg-type]
    return [
        await Runner.run(agent, f"{n}: " + "ask " * words, session=session, run_config=config)
        for n in range(turns)
    ]


@pytest.mark.proof
async def test_a_long_conversation_stays_within_its_budget(session: StoredSession) -> None:
    """The bound holds, and what is sent is little and mostly cached."""
    turns, model, sums = TALK, Talker(), Summing()
    results = await talked(session, model, configured(sums, max_tokens=BOUND), turns)
    assert max(model.sent) <= BOUND
    history = await session.history()
    assert len(history) == 2 * turns, "nothing is lost"
    sizes = [tokens(history[at : at + 2]) for at in range(0, len(history), 2)]
    questions = [tokens(history[at : at + 1]) for at in range(0, len(history), 2)]
    whole = sum(sum(sizes[:n]) + questions[n] for n in range(turns))
    sent = sum(model.sent) + sum(sums.sent)
    # The longer the conversation, the less: it grows with the turns, not with their square.
    assert sent <= (0.15 if turns >= 2_000 else 0.5) * whole, sent / whole
    assert sum(model.cached[10:]) >= 0.7 * sum(model.sent[10:])
    made = [result.compaction for result in results if result.compaction]
    assert len(made) == len(sums.sent) > 1
    assert all(each.result and each.because == "tokens" for each in made)
    # The view begins elsewhere only where a summary was made.
    pairs = zip(model.shown, model.shown[1:], strict=False)
    moved = sum(shown[:2] != before[:2] for before, shown in pairs if len(before) > 1)
    assert moved <= len(made)


async def test_the_window_cuts_where_no_summary_comes(session: StoredSession) -> None:
    async def broken(items: list[Item]) -> str:
        raise ValueError("secret text")

    model = Talker()
    results = await talked(session, model, configured(broken, max_tokens=1_000), 30)
    assert 500 < max(model.sent) <= 1_000
    assert results[-1].final_output == "word " * 60
    assert results[-1].compaction is not None
    assert results[-1].compaction.failure == "ValueError"
    assert len(await session.history()) == 60


async def test_instructions_tools_and_the_runs_own_items_count(session: StoredSession) -> None:
    @function_tool
    async def read() -> str:
        """Reads."""
        return "line " * 300

    await talked(session, Talker(), RunConfig(), 20)
    script = Script([call("read", 1)], [call("read", 2)], [answer("done")])
    agent = Agent("A", instructions="be " * 200, model=script, tools=[read])
    config = configured(Summing(), max_tokens=2_000)
    await Runner.run(agent, "go", session=session, run_config=config)
    beside = 200 * 3 // 4
    for request in script.requests:
        assert tokens(request.items) + beside <= 2_000
        assert request.items == repair(request.items)
    first, second, third = (request.items for request in script.requests)
    assert len(third) < len(second) < len(first), "the oldest turns make room"
    assert third[0]["role"] == "user"


async def test_each_bound_makes_a_summary() -> None:
    cases: list[tuple[dict[str, float], str]] = [
        ({"max_items": 8}, "max_items"),
        ({"max_turns": 4}, "max_turns"),
        ({"max_tokens": 600}, "tokens"),
        ({"fraction": 0.5, "window": 1_000}, "tokens"),
    ]
    for given, because in cases:
        session = StoredSession("s", MemoryStore())
        results = await talked(session, Talker(), configured(Summing(20), **given), 8)
        made = [each.compaction for each in results if each.compaction is not None]
        assert made, given
        assert {each.because for each in made} == {because}
        assert results[0].compaction is None


async def test_what_the_provider_reports_goes_before_an_estimate(session: StoredSession) -> None:
    class Large(Talker):
        async def respond(self, request: ModelRequest) -> ModelResponse:
            response = await super().respond(request)
            return ModelResponse(response.output, Usage(50_000, 10, requests=1))

    results = await talked(session, Large(), configured(Summing(5), max_tokens=60_000), 4)
    assert [each.compaction is not None for each in results] == [False, False, True, True]


async def test_usage_of_summaries_is_an_entry_of_its_own(session: StoredSession) -> None:
    results = await talked(session, Talker(reports=True), configured(Summing(20), max_items=8), 5)
    assert results[-1].compaction is not None
    result = results[-1].compaction.result
    assert result is not None
    by_agent = await session.usage("agent")
    assert by_agent["compaction"].output_tokens == 20
    assert (await session.usage("model"))["sums"] == by_agent["compaction"]
    assert result.usage == {
        "input_tokens": by_agent["compaction"].input_tokens,
        "output_tokens": 20,
    }
    assert results[-1].usage.output_tokens == 5, "not the run's"
    assert by_agent["Talker"].output_tokens == 25
    by_turn = await session.usage("turn")
    assert by_turn[5] == results[-1].usage + by_agent["compaction"]


async def test_a_failing_summary_changes_nothing_and_is_logged(
    session: StoredSession, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(items: list[Item]) -> str:
        raise ValueError("secret text")

    with caplog.at_level(logging.WARNING):
        results = await talked(session, Talker(), configured(broken, max_turns=2), 3)
    assert results[-1].compaction is not None
    assert results[-1].compaction.result is None
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text
    assert await session.get_items() == await session.history()


async def test_a_summary_too_long_to_be_shown_is_not_stored(session: StoredSession) -> None:
    """It would take the place of turns, and then leave no room for itself."""
    config = configured(Summing(words=1_000), max_tokens=400)
    model = Talker()
    results = await talked(session, model, config, 8)
    found = [each.compaction for each in results if each.compaction is not None]
    assert found
    assert {each.failure for each in found} == {"ModelBehaviorError"}
    assert await session.get_items() == await session.history()
    assert len(model.shown[-1]) > 3
    assert max(model.sent) <= 400


async def test_a_summary_that_exceeds_the_bound_is_not_stored(session: StoredSession) -> None:
    """Although it is shorter than what it stands for."""
    await talked(session, Talker(), RunConfig(), 20)
    config = configured(Summing(words=500), max_tokens=400)
    [result] = await talked(session, Talker(), config, 1)
    assert result.compaction is not None
    assert result.compaction.failure == "ModelBehaviorError"
    assert await session.get_items() == await session.history()


async def test_a_turn_of_ones_own_leaves_room_for_its_input(session: StoredSession) -> None:
    await talked(session, Talker(), RunConfig(), 20)
    compaction = Compaction(Summing(), max_tokens=1_000, token_counter=estimated_tokens)
    for words in (10, 600):
        async with session.turn("ask " * words, compaction=compaction) as turn:
            assert 800 < tokens(turn.input) <= 1_000
            await turn.add([answer("done")])


async def test_of_less_than_a_tenth_no_summary_is_made(session: StoredSession) -> None:
    sums = Summing(5)
    await talked(session, Talker(words=5), RunConfig(), 1, words=5)
    [kept, short] = await talked(session, Talker(words=400), configured(sums, max_tokens=500), 2)
    assert (kept.compaction, short.compaction, sums.sent) == (None, None, [])
    await talked(session, Talker(words=400), configured(sums, max_tokens=500), 1)
    assert len(sums.sent) == 1


async def test_a_summary_that_takes_too_long_fails(session: StoredSession) -> None:
    async def slow(items: list[Item]) -> str:
        await asyncio.sleep(60)
        return ""

    results = await talked(session, Talker(), configured(slow, max_turns=2, timeout=0.01), 3)
    assert results[-1].compaction is not None
    assert results[-1].compaction.failure == "TimeoutError"


async def test_a_summariser_that_is_cancelled_fails_and_the_run_goes_on(
    session: StoredSession,
) -> None:
    async def cancelled(items: list[Item]) -> str:
        raise asyncio.CancelledError

    results = await talked(session, Talker(), configured(cancelled, max_turns=2), 3)
    assert results[-1].compaction is not None
    assert results[-1].compaction.failure == "RuntimeError"


async def test_a_run_that_is_cancelled_meanwhile_has_stored_its_answer(
    session: StoredSession,
) -> None:
    begun = asyncio.Event()

    async def slow(items: list[Item]) -> str:
        begun.set()
        await asyncio.sleep(60)
        return ""

    run = asyncio.create_task(talked(session, Talker(), configured(slow, max_turns=2), 3))
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert len(await session.get_items()) == 6


async def test_another_run_goes_on_while_the_summary_is_written(session: StoredSession) -> None:
    async def slow(items: list[Item]) -> str:
        other = StoredSession("s", session.store)
        await talked(other, Talker(), RunConfig(session_policy="reject"), 1)
        return "summed up"

    results = await talked(session, Talker(), configured(slow, max_turns=3), 4)
    assert results[-1].compaction is not None
    assert results[-1].compaction.result is not None
    items = await session.get_items()
    assert len(items) == 1 + 4 + 2


async def test_a_summary_that_is_overtaken_is_dropped_and_paid_for(session: StoredSession) -> None:
    async def slow(items: list[Item]) -> Summarised:
        await session.clear_session()
        return Summarised("summed up", "m", {"input_tokens": 7, "output_tokens": 1})

    results = await talked(session, Talker(), configured(slow, max_turns=3), 4)
    outcome = results[-1].compaction
    assert outcome is not None
    assert (outcome.result, outcome.failure) == (None, "")
    assert await session.get_items() == []


async def test_what_is_transient_is_tried_three_times(
    session: StoredSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnlog.conversation.compaction.tries._DELAY", 0.001)
    tries = 0

    async def flaky(items: list[Item]) -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionError
        return "summed up"

    results = await talked(session, Talker(), configured(flaky, max_turns=2), 3)
    assert results[-1].compaction is not None
    assert results[-1].compaction.result is not None
    assert tries == 3


async def test_a_run_within_a_turn_is_not_compacted(session: StoredSession) -> None:
    sums = Summing()
    async with session.turn("outer", compaction=Compaction(sums, max_turns=3)) as turn:
        [inner] = await talked(session, Talker(), configured(sums, max_items=1, keep=0), 1)
        assert inner.compaction is None
        await turn.add([answer("done")])
    assert turn.compaction is None
    assert sums.sent == []


async def test_turns_of_a_loop_of_ones_own_are_compacted(session: StoredSession) -> None:
    compaction = Compaction(Summing(5), max_tokens=10_000, token_counter=estimated_tokens)
    for number in range(4):
        async with session.turn(f"q{number}", compaction=compaction) as turn:
            usage = {"input_tokens": 9_000 if number == 3 else 10, "output_tokens": 1}
            await turn.add([answer("a")], usage=usage)
    assert turn.compaction is not None
    assert turn.compaction.result is not None
    assert len(await session.get_items()) == 1 + 4


async def test_a_streamed_run_tells_what_came_of_it(session: StoredSession) -> None:
    has_events = asyncio.Event()

    async def summed(items: list[Item]) -> str:
        await has_events.wait()
        return f"{len(items)} items"

    await talked(session, Talker(), RunConfig(), 3)
    config = configured(summed, max_turns=3)
    run = Runner.run_streamed(Agent("A", model=Talker()), "q", session=session, run_config=config)
    async for _ in run:
        assert has_events.is_set() or run.compaction is None
        has_events.set()
    assert run.compaction is not None


async def test_sessions_that_cannot_be_compacted_are_refused() -> None:
    class Foreign:
        session_id = "f"
        session_settings: SessionSettings | None = None

        async def get_items(self, limit: int | None = None) -> list[Item]:
            return []

        async def add_items(self, items: list[Item]) -> None:
            raise AssertionError

        async def pop_item(self) -> Item | None:
            return None

        async def clear_session(self) -> None: ...

    class Fewer(StoredSession):
        async def get_items(self, limit: int | None = None) -> list[Item]:
            return []

    config = configured(Summing(), max_turns=2)
    agent = Agent("A", model=Talker())
    with pytest.raises(ValueError, match="needs a session whose items are in a store of Turnlog"):
        await Runner.run(agent, "q", session=Foreign(), run_config=config)
    with pytest.raises(TypeError, match="overrides get_items"):
        await Runner.run(agent, "q", session=Fewer("s", MemoryStore()), run_config=config)
    assert (await Runner.run(agent, "q", run_config=config)).compaction is None


def test_a_policy_says_what_is_wrong_with_it() -> None:
    sums = Summing()
    with pytest.raises(ValueError, match="needs a bound"):
        Compaction(sums)
    with pytest.raises(ValueError, match="give fraction and window"):
        Compaction(sums, fraction=0.5)
    with pytest.raises(ValueError, match="above 0"):
        Compaction(sums, fraction=1.5, window=10)
    with pytest.raises(ValueError, match="at least 1"):
        Compaction(sums, max_tokens=0)
    with pytest.raises(TypeError, match="must be an int"):
        Compaction(sums, max_turns=True)
    with pytest.raises(TypeError, match="summarised_by"):
        Compaction("gpt-5", max_tokens=10)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a Compaction"):
        RunConfig(compaction=sums)  # type: ignore[arg-type]
