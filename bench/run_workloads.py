"""Runner workloads: the cost of a whole turn with a model that answers at once."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import agents as sdk
from agents.testing import ScriptedModel, assistant_message

import turnlog
from bench.harness import Workload
from turnlog.items.json import Item

__all__ = ["workloads"]

TURNS = 40


def workloads() -> list[Workload]:
    """A turn at 10 and at 1,000 stored items."""
    return [
        Workload(
            f"a turn at {stored:,} stored items",
            partial(_ours, stored),
            partial(_theirs, stored),
            None,
            "3 x",
        )
        for stored in (10, 1000)
    ]


def _history(count: int) -> list[Item]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": f"message {n} " * 12} for n in range(count)]


class _AtOnce:
    async def respond(self, request: turnlog.ModelRequest) -> turnlog.ModelResponse:
        assert request.items
        return turnlog.ModelResponse([dict(assistant_message("yes").model_dump())])


async def _ours(stored: int, folder: Path) -> float:
    session = turnlog.SQLiteSession("a", folder / "a.db")
    await session.add_items(_history(stored))
    agent = turnlog.Agent("A", model=_AtOnce())
    seconds = await _timed(lambda n: turnlog.Runner.run(agent, f"question {n}", session=session))
    await session.store.aclose()
    return seconds


async def _theirs(stored: int, folder: Path) -> float:
    session = sdk.SQLiteSession("a", folder / "a.db")
    history: Any = _history(stored)
    await session.add_items(history)
    model = ScriptedModel()
    agent = sdk.Agent("A", model=model)
    sdk.set_tracing_disabled(disabled=True)

    async def turn(n: int) -> None:
        model.extend([[assistant_message("yes")]])
        await sdk.Runner.run(agent, f"question {n}", session=session)

    seconds = await _timed(turn)
    session.close()
    return seconds


async def _timed(turn: Callable[[int], Awaitable[object]]) -> float:
    await turn(-1)
    start = perf_counter()
    for n in range(TURNS):
        await turn(n)
    return (perf_counter() - start) / TURNS
