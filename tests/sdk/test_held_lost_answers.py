"""The SDK's Runner in held blocks on a store whose answers get lost, at any commit."""

from contextlib import suppress
from typing import Any

import agents
import pytest
from agents import Agent, Runner, function_tool
from agents.testing import ScriptedModel, assistant_message, function_call

from tests.conversation.turns.leases import apart
from turnlog import Log, Store, StoredSession
from turnlog.testing import Failing, Failure

pytestmark = [pytest.mark.anyio, pytest.mark.stores("memory", "sqlite", "redis", "postgres")]

#: A question of its own behind an answered turn, answered with the help of a tool.
WHOLE = ["before", "assistant", "go", "function_call", "function_call_output", "message"]


@function_tool
def look() -> str:
    """Look."""
    return "seen"


class Losing:
    """The plan that the answers of `times` commits get lost, from the one at `first` on.

    happened: whether these commits are made.
    """

    def __init__(self, first: int, times: int, *, happened: bool) -> None:
        self._lost = range(first, first + times)
        self._happened = happened
        self._commits = -1
        #: Whether any was lost.
        self.has_lost = False

    def __call__(self, verb: str) -> Failure | None:
        self._commits += verb == "commit"
        if verb != "commit" or self._commits not in self._lost:
            return None
        self.has_lost = True
        return Failure(ConnectionError("lost"), self._happened)


async def _asked(session: StoredSession, key: str | None) -> None:
    """One start of the request. The model is sent the question once."""
    call, said = function_call("look", {}, call_id="1"), assistant_message("done")
    model = ScriptedModel([[call], [said]])
    async with session.held(key=key) as held:
        if not held.is_replay:
            await Runner.run(
                Agent("A", model=model, tools=[look]), "go", session=held.session, max_turns=3
            )
    for sent in model.calls:
        assert _kinds(list(sent.input)).count("go") == 1


def _kinds(items: list[Any]) -> list[str]:
    return [
        item["content"] if item.get("role") == "user" else item.get("type") or item["role"]
        for item in items
    ]


@pytest.mark.parametrize("happened", [False, True], ids=["failed", "happened"])
@pytest.mark.parametrize("key", [None, "request 1"], ids=["plain", "keyed"])
async def test_an_answer_that_is_lost_once_is_made_up_for(
    any_store: Store, key: str | None, happened: bool
) -> None:
    agents.set_tracing_disabled(disabled=True)
    for first in range(20):
        name, failing = f"s{first}", Failing(any_store)
        await _begun(any_store, name)
        failing.plan = losing = Losing(first, 1, happened=happened)
        if key is None:
            await apart(_asked(StoredSession(name, failing), key))
        else:
            with suppress(ConnectionError):  # a look at the key that fails is not repeated
                await apart(_asked(StoredSession(name, failing), key))
            await apart(_asked(StoredSession(name, any_store), key))
        assert _kinds(await StoredSession(name, any_store).get_items()) == WHOLE
        assert await any_store.read(Log(name, ":lease")) == []
        if not losing.has_lost:
            break


@pytest.mark.parametrize("happened", [False, True], ids=["failed", "happened"])
@pytest.mark.parametrize("times", [2, 3])
async def test_an_outage_at_any_commit_and_the_same_request_again(
    any_store: Store, times: int, happened: bool
) -> None:
    agents.set_tracing_disabled(disabled=True)
    for first in range(20):
        name, failing = f"s{first}", Failing(any_store)
        await _begun(any_store, name)
        failing.plan = losing = Losing(first, times, happened=happened)
        for _ in range(times + 1):
            with suppress(ConnectionError):
                await apart(_asked(StoredSession(name, failing), "request 1"))
        kinds = _kinds(await StoredSession(name, any_store).get_items())
        assert kinds.count("go") == 1
        assert kinds.count("message") == 1
        assert (kinds[0], kinds[-1]) == ("before", "message")
        if not losing.has_lost:
            break


async def _begun(store: Store, name: str) -> None:
    async with StoredSession(name, store).turn("before") as turn:
        await turn.add([{"role": "assistant", "content": "hello"}])
