"""The walk: random acts on a conversation in a store, each compared with the reference."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeAlias

from tests.conversation.model.acts import Act, done
from tests.conversation.model.reference import Conversation, Item, Line
from turnlog import StoredSession
from turnlog.store import Store

__all__ = ["Elsewhere", "Walk"]

#: Performs an act in another process.
Elsewhere: TypeAlias = Callable[[Act], Awaitable[Any]]

#: A conversation is kept about as long as this, so that a step stays cheap.
LONGEST = 60


class Walk:
    """Random acts through several handles on one conversation.

    stores: handles on one database, through layers or not; a session stands on each.
    elsewhere: performs an act in another process, or through a new handle.
    """

    def __init__(self, stores: list[Store], elsewhere: Elsewhere, seed: int) -> None:
        self.expected = Conversation()
        self.chance = Random(seed)
        self.sessions = [StoredSession("talk", store) for store in stores]
        self.history: list[Act] = []
        self._elsewhere = elsewhere
        self._number = 0

    async def step(self) -> None:
        """Perform one act, and compare all that can be read."""
        if self.chance.random() < 0.1:
            await self._switch()
        elif self.chance.random() < 0.1:
            await self._two_at_once()
        else:
            await self._one()
        for session in self.sessions:
            await self._compare(session)
        await self._compare_branches()

    async def _one(self) -> None:
        session = self.chance.choice(self.sessions)
        act = self._act(session.branch)
        self.history.append(act)
        if self.chance.random() < 0.2:
            result = await self._elsewhere(act)
        else:
            try:
                result = _plain(await done(session, act))
            except ValueError:
                result = "refused"
        assert result == self._expected(act, result), act
        if act["do"] == "delete" and result != "refused" and session.branch == act["name"]:
            await session.switch_to("main")

    async def _switch(self) -> None:
        session = self.chance.choice(self.sessions)
        name = self.chance.choice([*self.expected.lines, "missing"])
        self.history.append({"do": "switch", "name": name})
        try:
            await session.switch_to(name)
        except ValueError:
            assert name == "missing"
        else:
            assert name == session.branch

    async def _two_at_once(self) -> None:
        """Two handles add at the same moment; each order is right."""
        name = self.chance.choice(list(self.expected.lines))
        acts: list[Act] = [{"do": "add", "on": name, "items": self._items()} for _ in range(2)]
        self.history += acts
        sessions = [StoredSession("talk", each.store, branch=name) for each in self.sessions[:2]]
        await asyncio.gather(*map(done, sessions, acts))
        stored = await sessions[0].get_items(len(acts[0]["items"]) + len(acts[1]["items"]))
        first = acts[0]["items"]
        for act in acts if stored[: len(first)] == first else acts[::-1]:
            self.expected.add(name, act["items"])

    # What to do

    def _act(self, name: str) -> Act:
        line = self.expected.lines.get(name)
        size = 0 if line is None else len(line.entries)
        kinds = ["add"] * 8 + ["pop"] * 3 + ["fork"] * 3 + ["rewind", "edit", "delete", "spend"] * 2
        kinds += ["compact", "compact", "drop"]
        kind = self.chance.choice([*kinds, "clear"] if size < LONGEST else ["clear", "rewind"])
        return {"do": kind, "on": name, **getattr(self, f"_{kind}")(size)}

    def _add(self, size: int) -> Act:
        del size
        return {"items": self._items()}

    def _pop(self, size: int) -> Act:
        del size
        return {}

    _clear = _drop = _pop

    def _compact(self, size: int) -> Act:
        del size
        return {"keep": self.chance.randint(0, 3)}

    def _fork(self, size: int) -> Act:
        return {"name": self._name(), **self.chance.choice([{}, self._turn(), self._size(size)])}

    def _rewind(self, size: int) -> Act:
        keep_as = self._name() if self.chance.random() < 0.3 else None
        turns = {"turns": self.chance.randint(1, 3)}
        where = self.chance.choice([self._turn(), turns, self._size(size)])
        return {**where, "keep_as": keep_as}

    def _edit(self, size: int) -> Act:
        if size == 0:
            return {"do": "pop"}
        at, item = self.chance.randrange(size), self._item("user")
        return {"name": self._name(), "at": at, "item": item}

    def _delete(self, size: int) -> Act:
        del size
        return {"name": self.chance.choice([*self.expected.lines, "missing"])}

    def _spend(self, size: int) -> Act:
        del size
        tokens = [self.chance.randint(1, 1_000) for _ in range(self.chance.randint(1, 2))]
        return {"run": str(self._next()), "tokens": tokens}

    def _turn(self) -> Act:
        return {"turn": self.chance.randint(1, 8)}

    def _size(self, size: int) -> Act:
        return {"size": self.chance.randint(0, size)}

    def _name(self) -> str | None:
        return self.chance.choice([None, f"b{self.chance.randrange(400)}"])

    def _items(self) -> list[Item]:
        roles = ["user", "assistant", "assistant", "system"]
        return [self._item(self.chance.choice(roles)) for _ in range(self.chance.randint(1, 4))]

    def _item(self, role: str) -> Item:
        return {"role": role, "content": f"Grüße {self._next()}"}

    def _next(self) -> int:
        self._number += 1
        return self._number

    # What has to come of it

    def _expected(self, act: Act, result: Any) -> Any:
        try:
            return getattr(self, f"_expect_{act['do']}")(act, result)
        except ValueError:
            return "refused"

    def _expect_add(self, act: Act, result: Any) -> None:
        del result
        self.expected.add(act["on"], act["items"])

    def _expect_pop(self, act: Act, result: Any) -> Item | None:
        del result
        return self.expected.pop(act["on"])

    def _expect_clear(self, act: Act, result: Any) -> None:
        del result
        self.expected.clear(act["on"])

    def _expect_compact(self, act: Act, result: Any) -> int | None:
        del result
        return self.expected.lines.get(act["on"], Line()).compact(act["keep"])

    def _expect_drop(self, act: Act, result: Any) -> bool:
        del result
        return self.expected.lines.get(act["on"], Line()).drop()

    def _expect_fork(self, act: Act, result: Any) -> str:
        name = act["name"] or result
        self.expected.fork(act["on"], name, self._kept(act))
        return str(name)

    def _expect_rewind(self, act: Act, result: Any) -> int:
        del result
        size = self._kept(act)
        return self.expected.rewind(act["on"], size, act["keep_as"])

    def _expect_edit(self, act: Act, result: Any) -> str:
        name = act["name"] or result
        self.expected.edit(act["on"], name, act["at"], act["item"])
        return str(name)

    def _expect_delete(self, act: Act, result: Any) -> None:
        del result
        self.expected.delete(act["name"])

    def _expect_spend(self, act: Act, result: Any) -> None:
        del result
        self.expected.spend(act["on"], act["run"], act["tokens"][-1])

    def _kept(self, act: Act) -> int:
        """How many entries an act leaves, or copies. Raises `ValueError` if it has to fail."""
        line = self.expected.lines.get(act["on"], Line())
        if "turn" in act:
            return line.start(act["turn"])
        if "turns" in act:
            dropped = line.starts[-act["turns"] :]
            return dropped[0] if dropped else len(line.entries)
        return int(act.get("size", len(line.entries)))

    # Comparing

    async def _compare(self, session: StoredSession) -> None:
        """Items, turns and usage, as `session` shows them."""
        line = self.expected.lines.get(session.branch)
        items = [] if line is None else [entry.item for entry in line.entries]
        assert await session.history() == items
        assert await session.get_items() == (line.view if line else [])
        assert [_told(turn) for turn in await session.turns()] == (line.turns() if line else [])
        by_turn = await session.usage("turn")
        spent = {turn: usage.total_tokens for turn, usage in by_turn.items() if usage.requests}
        assert spent == (line.tokens_by_turn() if line else {}), (spent, line)
        total = (await session.usage()).total_tokens
        assert total == (self.expected.tokens(session.branch) if line else 0)

    async def _compare_branches(self) -> None:
        session = self.chance.choice(self.sessions)
        shown = {each.name: each for each in await session.branches()}
        for name, line in self.expected.lines.items():
            if name == "main" and name not in shown:
                assert not line.entries
                continue
            branch = shown.pop(name)
            told = (branch.parent, branch.items, branch.turns, branch.is_current)
            current = name == session.branch
            assert told == (line.parent, len(line.entries), len(line.starts), current)
        assert not shown
        total = (await session.usage(branches="all")).total_tokens
        assert total == self.expected.tokens_of_all()


def _told(turn: Any) -> tuple[int, str, int, int]:
    return turn.number, turn.text, turn.items, turn.usage.total_tokens


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
