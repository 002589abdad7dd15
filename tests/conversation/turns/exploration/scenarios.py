"""Scenarios: runs and others on one conversation, and what must hold at the end of each.

Turns never interleave, no answer comes from an old view, nothing is stored twice, and nothing that
was acknowledged is lost.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeAlias

import pytest

from tests.conversation.turns.exploration.explorer import Choices, Explored, explore
from tests.conversation.turns.exploration.world import Actor, Budget, World, fixed, worlds
from tests.sample_items import user
from turnlog import Log, Store, StoredSession
from turnlog.conversation.reading.run_input import run_input
from turnlog.conversation.turns.answering import answered
from turnlog.conversation.turns.beginning import turn_begun
from turnlog.conversation.turns.policy import Policy
from turnlog.conversation.turns.run_key import RunKey
from turnlog.items.json import Item, decode
from turnlog.items.merge import Merged

#: What others do beside the runs, in processes of their own.
Other: TypeAlias = Callable[[Store], Coroutine[Any, Any, object]]

NOTE = "a note"


async def _add(store: Store) -> None:
    """Add to the conversation, as a program does that knows nothing of turns."""
    await StoredSession("s", store).add_items([{"role": "developer", "content": NOTE}])


async def _delete(store: Store) -> None:
    await store.delete("s")


class Scenario:
    """Some runs, each in a process of its own; one that fails is retried once.

    Each run answers with all that it was shown, so that a stale view shows.
    """

    def __init__(
        self,
        budget: Budget,
        policies: list[Policy],
        *,
        tool: bool = False,
        key: str | None = None,
        others: Sequence[Other] = (),
    ) -> None:
        self.budget = budget
        self.policies = policies
        self.tool = tool
        self.key = key  # of one run that is started several times
        self.others = others

    def __call__(self, choices: Choices) -> None:
        asyncio.run(self._execute(choices))

    async def _execute(self, choices: Choices) -> None:
        world = World(choices, self.budget)
        worlds.set(world)
        try:
            for number, policy in enumerate(self.policies):
                self._begin(world, ["a1", "a3" if self.key else "b1", "c1"][number], policy)
            for number, other in enumerate(self.others):
                world.begin(f"other {number}", partial(other, world.store))
            await world.run(self._retry)
            try:
                self._check(world)
            except AssertionError as error:
                error.add_note(world.story())
                raise
        finally:
            world.close()

    def _begin(self, world: World, name: str, policy: Policy) -> None:
        session = StoredSession("s", world.store)
        world.begin(name, lambda: self._turn(session, name, policy))

    async def _turn(self, session: StoredSession, name: str, policy: Policy) -> None:
        question = [user(f"question {name[0]}")]

        async def view(session: StoredSession, *, resumes: bool = True) -> Merged:
            return await run_input(session, question, resumes=resumes)

        key = self.key and RunKey.of(Log("s"), self.key, question)
        async with turn_begun(session, view, policy, key=key or None) as begun:
            if begun.answer is not None:
                assert [_kind(item)[0] for item in begun.answer] == ["answer"]
                return
            if self.tool:
                await begun.session.add_items([_said("call", name, [])])
            answer = _said("answer", name, begun.shown)
            await answered(begun.session, begun.turn, [answer], is_over=False)

    def _retry(self, world: World) -> None:
        """A run that failed is tried again, by another process."""
        for actor in list(world.actors):
            again = f"{actor.name[0]}{int(actor.name[1]) + 1}" if len(actor.name) == 2 else ""
            failed = actor.is_dead or actor.outcome not in ("", "done", "SessionBusy")
            is_run = not actor.is_renewal and actor.name[1:] in ("1", "3")
            if is_run and failed and all(each.name != again for each in world.actors):
                self._begin(world, again, "queue")

    def _check(self, world: World) -> None:
        for actor in world.actors:
            assert actor.outcome or actor.is_dead, f"{actor.name} waits for ever"
        branches = [[decode(payload) for payload in branch] for branch in world.branches()]
        for items in branches:
            _check_turns(items)
        _check_leases(world)
        runs = [each for each in world.actors if not each.is_renewal and len(each.name) == 2]
        if self.key:
            _check_once(branches, runs)
            return
        _check_acknowledged(branches, runs, may_vanish=_delete in self.others)
        if not self.budget.takeovers and _delete not in self.others:
            assert all(run.outcome != "LeaseLost" for run in runs), "nobody took the lease"


def _said(kind: str, name: str, shown: list[Item]) -> Item:
    """A message of the model that tells all that the model was shown."""
    content = {"kind": kind, "name": name, "shown": [item["content"] for item in shown]}
    return {"role": "assistant", "content": content}


def _kind(item: Item) -> tuple[str, str]:
    """What an item is, and whose it is: "question", "call" or "answer" of "a", "b" or "c"."""
    content = item["content"]
    if content == NOTE:
        return "note", ""
    if isinstance(content, dict):
        return content["kind"], content["name"][0]
    return "question", content[-1]


def _check_turns(items: list[Item]) -> None:
    """Between two questions stands one answer at most, of the same run, to all before it.

    Notes of others don't count: they may be added at any moment, also behind the view of a run.
    """
    question, answers = -1, 0
    for place, item in enumerate(items):
        kind, owner = _kind(item)
        if kind == "question":
            question, answers = place, 0
        if kind in ("question", "note"):
            continue
        assert question >= 0
        assert owner == _kind(items[question])[1], "two turns interleave"
        if kind == "answer":
            answers += 1
            assert answers == 1, "a question is answered twice"
            before = [each["content"] for each in items[: question + 1] if each["content"] != NOTE]
            shown = [each for each in item["content"]["shown"] if each != NOTE]
            assert shown[: len(before)] == before, "the view was old"


def _check_acknowledged(
    branches: list[list[Item]], actors: list[Actor], *, may_vanish: bool
) -> None:
    """What a run was told is stored is there; what it was told is not there is not there."""
    answers = [
        [item["content"]["name"] for item in items if _kind(item)[0] == "answer"]
        for items in branches
    ]
    for actor in actors:
        assert all(branch.count(actor.name) <= 1 for branch in answers), "an answer came twice"
        is_stored = any(actor.name in branch for branch in answers)
        if actor.outcome == "done" and not may_vanish:
            assert is_stored, "an acknowledged answer was lost"
        if actor.outcome in ("LeaseLost", "SessionBusy"):
            assert not is_stored, "a refused answer was stored"


def _check_once(branches: list[list[Item]], actors: list[Actor]) -> None:
    """A run with a key has one question and one answer, however often it was started."""
    kinds = [_kind(item)[0] for items in branches for item in items]
    assert kinds.count("question") <= 1, "the question was stored twice"
    assert kinds.count("answer") <= 1, "the question was answered twice"
    if any(actor.outcome == "done" for actor in actors):
        assert kinds.count("answer") == 1, "an acknowledged answer was lost"


def _check_leases(world: World) -> None:
    """Nobody who lives holds the lease or waits."""
    dead = [f'"{actor.name}/' for actor in world.actors if actor.is_dead]
    for name in (":lease", ":queue"):
        for _, payload in world.log(name):
            assert any(each in payload.decode() for each in dead), f"{name} was not given back"


def explored(
    monkeypatch: pytest.MonkeyPatch, scenario: Scenario, most: int | None = None
) -> Explored:
    logging.disable(logging.CRITICAL)
    try:
        with fixed(monkeypatch):
            return explore(scenario, most)
    finally:
        logging.disable(logging.NOTSET)


Q: Policy = "queue"

TWO: dict[str, Any] = {"policies": [Q, Q]}
THREE: dict[str, Any] = {"policies": [Q, Q, Q]}

SCENARIOS: dict[str, tuple[Budget, dict[str, Any]]] = {
    "two runs": (Budget(), {**TWO, "tool": True}),
    "renewals": (Budget(renewals=2), {**TWO, "tool": True}),
    "takeover": (Budget(takeovers=1), {**TWO, "tool": True}),
    "takeovers": (Budget(takeovers=2), {**TWO, "tool": True}),
    "takeover, renewal": (Budget(takeovers=1, renewals=1), {**TWO, "tool": True}),
    "crash": (Budget(crashes=1), {**TWO, "tool": True}),
    "lost answer": (Budget(losses=1), {**TWO, "tool": True}),
    "lost answer, takeover": (Budget(losses=1, takeovers=1), TWO),
    "crash, takeover": (Budget(crashes=1, takeovers=1), TWO),
    "crash, lost answer": (Budget(crashes=1, losses=1), TWO),
    "reject": (Budget(takeovers=1), {"policies": ["reject", Q], "tool": True}),
    "branch": (Budget(takeovers=1), {"policies": ["branch", Q]}),
    "a second writer": (Budget(takeovers=1), {**TWO, "others": [_add, _add]}),
    "a deletion": (Budget(takeovers=1), {**TWO, "others": [_delete]}),
    "one key twice": (Budget(), {**TWO, "key": "k"}),
    "one key twice, crash": (Budget(crashes=1), {**TWO, "key": "k"}),
    "one key twice, lost answer": (Budget(losses=1), {**TWO, "key": "k"}),
    "one key twice, takeover": (Budget(takeovers=1), {**TWO, "key": "k"}),
    "one key twice, reject": (Budget(takeovers=1), {"policies": ["reject", Q], "key": "k"}),
    "three runs": (Budget(), THREE),
    "three runs, lost answer": (Budget(losses=1), THREE),
    "three runs, takeover": (Budget(takeovers=1), THREE),
    "three runs, crash": (Budget(crashes=1), THREE),
}
