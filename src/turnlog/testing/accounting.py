"""Promises of every session over a store: usage is recorded and added up, as a test class."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from turnlog.agents.agent import Agent
from turnlog.agents.models.model import ModelRequest, ModelResponse
from turnlog.agents.runner import Runner
from turnlog.conversation.session import StoredSession
from turnlog.conversation.usage.usage import Usage
from turnlog.errors import BranchDeleted
from turnlog.items.json import Item
from turnlog.testing.conversation import said

__all__ = ["AccountingTests"]

ANSWER: Item = {"role": "assistant", "content": "yes"}


@dataclass
class _Costly:
    """A model that spends the same for each answer, or for each failure."""

    usage: Usage
    model: str = "costly-1"
    failures: int = 0
    asked: int = field(default=0, init=False)

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.asked += 1
        await asyncio.sleep(0)
        if self.asked <= self.failures:
            request.report(self.usage)
            raise ConnectionError("rejected")
        return ModelResponse([ANSWER], self.usage)


@dataclass
class _Spent:
    """A usage object of another library, which grows while its run goes on."""

    requests: int = 1
    input_tokens: int = 10
    output_tokens: int = 2
    input_tokens_details: dict[str, int] = field(default_factory=lambda: {"cached_tokens": 4})


SPENT = Usage(10, 2, 4, 0, 1)


def _result() -> Any:  # of a run of the OpenAI Agents SDK, as far as it is looked at
    agent = SimpleNamespace(name="Guest", model="guest-1")
    return SimpleNamespace(context_wrapper=SimpleNamespace(usage=_Spent()), last_agent=agent)


class AccountingTests:
    """Usage of runs, of turns by hand, and of the results of other runners.

    It needs a fixture `stored`: a `StoredSession` that holds nothing.
    """

    pytestmark = pytest.mark.anyio

    async def test_a_run_is_recorded(self, stored: StoredSession) -> None:
        spent = Usage(10, 2, 4, 1, input_details={"cached_tokens": 4, "cache_write_tokens": 3})
        agent = Agent("Ann", model=_Costly(spent))
        results = [await Runner.run(agent, f"q{n}", session=stored) for n in range(3)]
        one, all_of_it = Usage(10, 2, 4, 1, 1), Usage(30, 6, 12, 3, 3)
        total = await stored.usage()
        assert total == all_of_it
        assert total.input_details == {"cached_tokens": 12, "cache_write_tokens": 9}
        assert await stored.usage("turn") == {1: one, 2: one, 3: one}
        assert await stored.usage("run") == {result.run_id: one for result in results}
        assert await stored.usage("agent") == {"Ann": all_of_it}
        assert await stored.usage("model") == {"costly-1": all_of_it}
        assert await stored.usage(turns=2) == Usage(20, 4, 8, 2, 2)
        assert await stored.usage("turn", turns=1) == {3: one}

    async def test_runs_at_once_are_recorded_each(self, stored: StoredSession) -> None:
        agent = Agent("Ann", model=_Costly(Usage(10, 2)))
        await asyncio.gather(*(Runner.run(agent, f"q{n}", session=stored) for n in range(4)))
        one = Usage(10, 2, requests=1)
        assert await stored.usage("turn") == dict.fromkeys(range(1, 5), one)

    async def test_what_failed_and_its_retry_add_up(self, stored: StoredSession) -> None:
        agent = Agent("Ann", model=_Costly(Usage(10, 2), failures=1))
        with pytest.raises(ConnectionError):
            await Runner.run(agent, "go", session=stored)
        assert await stored.usage("turn") == {1: Usage(10, 2, requests=1)}
        await Runner.run(agent, "go", session=stored)
        assert await stored.usage("turn") == {1: Usage(20, 4, requests=2)}
        assert len(await stored.usage("run")) == 2

    async def test_turns_by_hand_are_recorded(self, stored: StoredSession) -> None:
        counter = _Spent()
        async with stored.turn("q1", usage=counter) as turn:
            await turn.add([ANSWER], usage={"prompt_tokens": 1, "completion_tokens": 1})
            counter.output_tokens += 1
        async with stored.turn("q2", usage=lambda: None) as turn:
            await turn.add([ANSWER])
        assert await stored.usage("turn") == {1: Usage(11, 4, 4, 0, 2)}
        assert len(await stored.usage("run")) == 1

    async def test_results_of_others_are_recorded_once(self, stored: StoredSession) -> None:
        await stored.add_items([said("q"), ANSWER])
        result, other = _result(), _result()
        for _ in range(2):
            await stored.store_run_usage(result)
        assert await stored.usage("turn") == {1: SPENT}
        assert await stored.usage("agent") == {"Guest": SPENT}
        assert await stored.usage("model") == {"guest-1": SPENT}
        result.context_wrapper.usage.input_tokens += 5
        await stored.store_run_usage(result)
        assert await stored.usage() == Usage(15, 2, 4, 0, 1)
        await stored.store_run_usage(other)
        assert await stored.usage("turn") == {1: Usage(25, 4, 8, 0, 2)}

    async def test_usage_before_the_first_question(self, stored: StoredSession) -> None:
        await stored.store_run_usage(_result())
        assert await stored.usage("turn") == {0: SPENT}
        await stored.add_items([said("q"), ANSWER])
        await stored.store_run_usage(_result())
        assert await stored.usage("turn") == {0: SPENT, 1: SPENT}

    async def test_usage_of_a_turn_that_is_gone(self, stored: StoredSession) -> None:
        await stored.add_items([said("q1"), ANSWER, said("q2")])
        await stored.store_run_usage(_result())
        assert await stored.pop_item() == said("q2")
        assert await stored.usage("turn") == {None: SPENT}
        await stored.add_items([said("another q2")])
        assert await stored.usage("turn") == {None: SPENT}
        assert await stored.usage() == SPENT

    async def test_a_cleared_session_has_spent_nothing(self, stored: StoredSession) -> None:
        await stored.add_items([said("q"), ANSWER])
        await stored.store_run_usage(_result())
        await stored.clear_session()
        assert await stored.usage() == Usage()
        assert await stored.usage("turn") == {}

    async def test_a_fork_keeps_the_usage_of_its_turns(self, stored: StoredSession) -> None:
        agent = Agent("Ann", model=_Costly(Usage(10, 2)))
        for n in range(3):
            await Runner.run(agent, f"q{n}", session=stored)
        one, two = Usage(10, 2, requests=1), Usage(20, 4, requests=2)
        first, second = await stored.fork("b", at=3), await stored.fork("c", at=2)
        assert await first.usage("turn") == {1: one, 2: one}
        assert await second.usage("turn") == {1: one}
        third = await first.fork("d")
        assert await third.usage("turn") == {1: one, 2: one}
        await Runner.run(agent, "q9", session=first)
        assert await first.usage("turn") == {1: one, 2: one, 3: one}
        assert await first.usage("turn", turns=2) == {2: one, 3: one}
        assert [turn.usage for turn in await first.turns(2)] == [one, one]
        assert await stored.usage(branches="all") == Usage(40, 8, requests=4)
        everywhere = await stored.usage("turn", branches="all")
        assert everywhere == {1: one, 2: one, 3: two}
        for _ in range(4):
            await first.pop_item()
        assert await first.usage("turn") == {1: one, None: two}
        await stored.delete_branch("b")
        assert await stored.usage(branches="all") == Usage(30, 6, requests=3)

    async def test_usage_is_not_stored_on_a_deleted_branch(self, stored: StoredSession) -> None:
        await stored.add_items([{"role": "user", "content": "q"}])
        forked = await stored.fork("b")
        await stored.delete_branch("b")
        with pytest.raises(BranchDeleted):
            await forked.store_run_usage(_result())
        assert await forked.usage() == Usage()

    async def test_a_rewound_turn_keeps_its_cost(self, stored: StoredSession) -> None:
        agent = Agent("Ann", model=_Costly(Usage(10, 2)))
        for n in range(3):
            await Runner.run(agent, f"q{n}", session=stored)
        one = Usage(10, 2, requests=1)
        await stored.rewind(turn=3, keep_as="kept")
        await Runner.run(agent, "another q3", session=stored)
        assert await stored.usage("turn") == {1: one, 2: one, 3: one, None: one}
        assert await stored.usage("turn", branches="all") == {1: one, 2: one, 3: one + one}

    @pytest.mark.parametrize("wrong", [None, 7, "text", {}, Usage(1, 1)], ids=repr)
    async def test_what_is_no_result_is_refused(self, stored: StoredSession, wrong: object) -> None:
        with pytest.raises(TypeError, match="takes the result of a run"):
            await stored.store_run_usage(wrong)
        assert await stored.usage() == Usage()
