"""Sessions of every kind keep the promise of the four verbs."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace

import agents
import pytest

from tests.fake_models import Echo
from tests.strangers import Stranger
from turnlog import (
    AdvancedSQLiteSession,
    Agent,
    AsyncSQLiteSession,
    Item,
    RunConfig,
    Runner,
    SQLiteSession,
    StoredSession,
)
from turnlog.conversation.turns.policy import Policy
from turnlog.conversation.usage.usage import Usage
from turnlog.errors import BranchDeleted, LeaseLost
from turnlog.stores.memory import MemoryStore
from turnlog.testing import (
    ClosableSessionTests,
    Failing,
    Failure,
    MakeSession,
    SessionTests,
    StoredSessionTests,
    first_calls_of,
)


class TestStoredSession(StoredSessionTests):
    @pytest.fixture
    def make_session(self) -> MakeSession:
        store = MemoryStore()
        return lambda session_id: StoredSession(session_id, store)


class TestBranch(StoredSessionTests):
    @pytest.fixture
    def make_session(self) -> MakeSession:
        store = MemoryStore()
        return lambda session_id: StoredSession(session_id, store, branch="side")


class TestSQLiteSessionInAFile(ClosableSessionTests):
    @pytest.fixture
    def make_session(self, tmp_path: Path) -> Iterator[MakeSession]:
        made: list[SQLiteSession] = []

        def make(session_id: str) -> SQLiteSession:
            made.append(SQLiteSession(session_id, tmp_path / "conversations.db"))
            return made[-1]

        yield make
        for session in made:
            session.close()


class TestSQLiteSessionInMemory(ClosableSessionTests):
    private = True

    @pytest.fixture
    def make_session(self) -> MakeSession:
        return SQLiteSession


class TestAdvancedSQLiteSessionInAFile(ClosableSessionTests):
    @pytest.fixture
    def make_session(self, tmp_path: Path) -> Iterator[MakeSession]:
        made: list[AdvancedSQLiteSession] = []

        def make(session_id: str) -> AdvancedSQLiteSession:
            made.append(AdvancedSQLiteSession(session_id, tmp_path / "conversations.db"))
            return made[-1]

        yield make
        for session in made:
            session.close()

    # In these points it behaves as the SDK's class of this name.

    async def test_usage_before_the_first_question(self, stored: StoredSession) -> None:
        """On an empty branch, there is nothing that it could belong to."""
        await stored.store_run_usage(_spent(10))
        assert await stored.usage() == Usage()
        await stored.add_items([{"role": "assistant", "content": "Hello"}])
        await stored.store_run_usage(_spent(10))
        assert (await stored.usage()).input_tokens == 10

    @pytest.mark.parametrize("wrong", [None, 7, {}])
    async def test_what_is_no_result_is_refused(  # type: ignore[override]
        self, stored: StoredSession, wrong: object, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is logged, and not raised; also on a closed session."""
        await stored.add_items([{"role": "user", "content": "secret"}])
        await stored.store_run_usage(wrong)
        stored.close()
        await stored.store_run_usage(_spent(10))
        assert [record.levelname for record in caplog.records] == ["ERROR"] * 2
        assert "secret" not in caplog.text

    async def test_no_other_session_brings_a_deleted_branch_back(self, talk: StoredSession) -> None:
        """A session that stands on it goes back to main."""
        before = await talk.get_items()
        for way in ("add", "pop", "read", "list"):
            forked = await talk.fork(way)
            await talk.delete_branch(way)
            if way == "add":
                await forked.add_items(item for item in [{"role": "user", "content": "late"}])
            elif way == "pop":
                assert await forked.pop_item() == {"role": "user", "content": "late"}
            elif way == "read":
                assert await forked.get_items() == before
            else:
                assert [each["is_current"] for each in await forked.list_branches()] == [True]
            assert forked.branch == "main"
        assert [branch.name for branch in await talk.branches()] == ["main"]
        assert await talk.get_items() == before

    @pytest.mark.parametrize("policy", ["queue", "reject", "off", "branch"])
    async def test_a_turn_goes_back_to_main(self, talk: StoredSession, policy: Policy) -> None:
        """A turn and a run of ours, on a branch that another session has deleted."""
        before = await talk.get_items()
        ran, turned = await talk.fork("ran"), await talk.fork("turned")
        await talk.delete_branch("ran")
        await talk.delete_branch("turned")
        agent = Agent("A", model=Echo())
        config = RunConfig(session_policy=policy)
        await Runner.run(agent, "one", session=ran, run_config=config)
        async with turned.turn("two", policy=policy) as turn:
            assert turn.input[: len(before)] == before
            await turn.add([{"role": "assistant", "content": "answer"}])
        assert (ran.branch, turned.branch) == ("main", "main")
        assert len(await talk.get_items()) == len(before) + 4

    async def test_a_turn_stays_on_its_branch(self, talk: StoredSession) -> None:
        """A branch that is deleted under a turn gets no more writes, and main gets none of them."""
        before = await talk.get_items()
        early, late = await talk.fork("early"), await talk.fork("late")

        async def deleting(history: list[Item], new: list[Item]) -> list[Item]:
            await talk.delete_branch("early")
            return [*history, *new]

        with pytest.raises(BranchDeleted):
            async with early.turn("one", callback=deleting):
                pass
        async with late.turn("two"):
            await talk.delete_branch("late")
            assert await late.get_items() == []
            with pytest.raises(LeaseLost):
                await late.add_items([{"role": "assistant", "content": "answer"}])
        assert await talk.get_items() == before

    async def test_usage_is_not_stored_on_a_deleted_branch(self, stored: StoredSession) -> None:
        await stored.add_items([{"role": "user", "content": "q"}])
        forked = await stored.fork("b")
        await stored.delete_branch("b")
        await forked.store_run_usage(_spent(10))
        assert forked.branch == "main"
        assert await stored.usage(branches="all") == Usage()

    async def test_clearing_a_branch_leaves_the_others(self, talk: StoredSession) -> None:
        """It empties all branches, from whichever it stands on; others go back to main."""
        forked, other = await talk.fork("try"), await talk.fork("other")
        await forked.clear_session()
        assert forked.branch == "main"
        assert await other.get_items() == await talk.get_items() == []
        assert other.branch == "main"
        assert [branch.name for branch in await talk.branches()] == ["main"]


class TestAsyncSQLiteSession(ClosableSessionTests):
    @pytest.fixture
    async def make_session(self, tmp_path: Path) -> AsyncIterator[MakeSession]:
        made: list[AsyncSQLiteSession] = []

        def make(session_id: str) -> AsyncSQLiteSession:
            made.append(AsyncSQLiteSession(session_id, tmp_path / "conversations.db"))
            return made[-1]

        yield make
        for session in made:
            await session.close()


def _spent(tokens: int) -> object:
    return SimpleNamespace(context_wrapper=SimpleNamespace(usage=Usage(tokens, 2, requests=1)))


class TestStranger(SessionTests):
    @pytest.fixture
    def make_session(self) -> MakeSession:
        shelf: dict[str, list[Item]] = {}
        return lambda session_id: Stranger(session_id, shelf)


class TestSessionOfTheAgentsSDK(SessionTests):
    @pytest.fixture
    def make_session(self, tmp_path: Path) -> Iterator[Callable[[str], agents.SQLiteSession]]:
        made: list[agents.SQLiteSession] = []

        def make(session_id: str) -> agents.SQLiteSession:
            made.append(agents.SQLiteSession(session_id, tmp_path / "conversations.db"))
            return made[-1]

        yield make
        for session in made:
            session.close()


@pytest.mark.anyio
class TestOverAFailingStore:
    async def test_a_retry_after_a_lost_answer_stores_once(self) -> None:
        lost = Failure(ConnectionError("lost"), happened=True)
        refused = Failure(ConnectionError("refused"))
        store = Failing(MemoryStore(), first_calls_of("commit", lost, refused, lost))
        session = StoredSession("session", store)
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await session.add_items([{"n": 1}, {"n": 2}], key="turn 1")
        await session.add_items([{"n": 1}, {"n": 2}], key="turn 1")
        assert await session.get_items() == [{"n": 1}, {"n": 2}]

    async def test_every_batch_is_stored_once_on_a_bad_line(self) -> None:
        chance = Random(1)
        error = ConnectionError("bad line")

        def plan(verb: str) -> Failure | None:
            fails = verb == "commit" and chance.random() < 0.6
            return Failure(error, happened=chance.random() < 0.5) if fails else None

        session = StoredSession("session", Failing(MemoryStore(), plan))
        for n in range(50):
            while True:
                try:
                    await session.add_items([{"n": n}, {"n": -n}], key=f"turn {n}")
                except ConnectionError:
                    continue
                break
        expected = [{"n": m} for n in range(50) for m in (n, -n)]
        assert await session.get_items() == expected

    async def test_an_error_reaches_the_caller_and_the_session_goes_on(self) -> None:
        store = Failing(MemoryStore())
        session = StoredSession("session", store)
        await session.add_items([{"n": 1}, {"n": 2}])
        store.plan = lambda verb: Failure(OSError(f"{verb} failed"))
        with pytest.raises(OSError, match="read failed"):
            await session.get_items()
        with pytest.raises(OSError, match="commit failed"):
            await session.add_items([{"n": 3}])
        with pytest.raises(OSError, match="logs failed"):
            await session.clear_session()
        store.plan = first_calls_of("commit", Failure(OSError("commit failed")))
        with pytest.raises(OSError, match="commit failed"):
            await session.pop_item()
        assert await session.pop_item() == {"n": 2}
        assert await session.get_items() == [{"n": 1}]
