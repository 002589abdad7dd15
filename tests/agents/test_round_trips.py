"""Round trips of a run: how often it reads and commits, counted in front of the store."""

from collections import Counter
from typing import NamedTuple, TypeVar

import pytest

from tests.agents.runs import weather
from tests.agents.ways import Way
from tests.fake_models import Broken, Echo, Script
from tests.sample_items import answer, call, output, user
from turnlog import Agent, RunConfig, SessionSettings, StoredSession, function_tool
from turnlog.items.json import Item
from turnlog.store import Call, Layer, Store
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

T = TypeVar("T")

#: Windows that an ordinary conversation of some turns fills, and those that it doesn't.
SETTINGS = [
    None,
    SessionSettings(limit=6),
    SessionSettings(limit=1000),
    SessionSettings(max_turns=2),
    SessionSettings(max_turns=1000),
    SessionSettings(max_tokens=60, token_counter=lambda _item: 10),
    SessionSettings(max_tokens=100_000, token_counter=lambda _item: 10),
]


class Trips(NamedTuple):
    """How often a run called its store."""

    reads: int
    commits: int


class Counted(Layer):
    """Counts the calls of each verb."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._verbs = Counter[str]()

    async def around(self, call: Call[T]) -> T:
        self._verbs[call.verb] += 1
        return await call()

    def counted(self) -> Trips:
        """The calls since the last time that this was asked."""
        verbs, self._verbs = self._verbs, Counter()
        assert set(verbs) <= {"read", "commit"}
        return Trips(verbs["read"], verbs["commit"])


@pytest.fixture
def store() -> Counted:
    return Counted(MemoryStore())


@pytest.fixture(params=SETTINGS, ids=lambda asked: str(asked).split(", token_counter")[0])
def session(request: pytest.FixtureRequest, store: Counted) -> StoredSession:
    return StoredSession("session", store, session_settings=request.param)


def asked(number: int = 1) -> Item:
    """A call of the tool."""
    return call("weather", number, '{"city": "Oslo"}')


async def test_plain_turns(way: Way, session: StoredSession, store: Counted) -> None:
    """The first, and all that follow it."""
    for number in range(12):
        await way(Agent("A", model=Echo()), f"q{number}", session=session)
        assert store.counted() == Trips(1, 2)


async def test_calls_of_tools(way: Way, session: StoredSession, store: Counted) -> None:
    """The response with the calls is one more commit, and so is each output."""
    for calls in (1, 2, 3):
        script = Script([asked(n) for n in range(calls)], [answer("It rains.")])
        await way(Agent("A", model=script, tools=[weather]), "weather?", session=session)
        assert store.counted() == Trips(1, 3 + calls)


async def test_a_handoff(way: Way, session: StoredSession, store: Counted) -> None:
    second = Agent("B", model=Script([answer("I have it")]))
    first = Agent("A", model=Script([call("transfer_to_b")]), handoffs=[second])
    await way(first, "go", session=session)
    assert store.counted() == Trips(1, 4)


async def test_a_response_that_is_no_answer_ends_the_turn(
    way: Way, session: StoredSession, store: Counted
) -> None:
    """The mark which says so is written together with it."""
    await way(Agent("A", model=Script([])), "go", session=session)
    assert store.counted() == Trips(1, 2)


async def test_a_retry(way: Way, store: Counted) -> None:
    """It reads as well whether the turn before it was marked as over."""
    session = StoredSession("session", store)
    model = Broken(2)
    for reads in (1, 2):
        with pytest.raises(ConnectionError):
            await way(Agent("A", model=model), "go", session=session)
        assert store.counted() == Trips(reads, 2), "the question, and the lease is given back"
    await way(Agent("A", model=model), "go", session=session)
    assert store.counted() == Trips(2, 2)
    assert model.shown == [[user("go")]] * 3


async def test_a_run_with_a_key(way: Way, store: Counted) -> None:
    """Such a run first asks whether it was answered. That is a commit which writes nothing.

    A start that finds the answer looks at the question, at where the answer began, and reads it.
    """
    session, config = StoredSession("session", store), RunConfig(key="order 17")
    for trips in (Trips(1, 3), Trips(3, 2)):
        result = await way(Agent("A", model=Echo()), "go", session=session, run_config=config)
        assert result.final_output == "saw 1"
        assert store.counted() == trips


async def test_a_run_within_a_run(way: Way, store: Counted) -> None:
    """The inner run reads what it is shown, with a summary if there is one; it takes no lease."""
    session = StoredSession("session", store)

    @function_tool
    async def ask() -> str:
        return str((await way(Agent("B", model=Echo()), "inner", session=session)).final_output)

    outer = Agent("A", model=Script([call("ask")], [answer("done")]), tools=[ask])
    await way(outer, "go", session=session)
    assert store.counted() == Trips(3, 6)


async def test_turns_by_hand(session: StoredSession, store: Counted) -> None:
    """Which of the items that are added is the last shows only at the end of the block."""
    for number in range(8):
        async with session.turn(f"q{number}") as turn:
            await turn.add([answer("yes")])
        assert store.counted() == Trips(1, 3)
    async with session.turn("weather?") as turn:
        await turn.add([asked()])
        await turn.add([output("rain")])
    assert store.counted() == Trips(1, 4), "the mark is written when the lease is given back"


async def test_what_an_application_does_itself(session: StoredSession, store: Counted) -> None:
    await session.add_items([user("q"), answer("a")])
    assert store.counted() == Trips(0, 1)
    await session.get_items()
    await session.view()
    assert store.counted() == Trips(4, 0), "the log, and at the same time the newest summary"
    await session.pop_item()
    assert store.counted() == Trips(1, 1)
