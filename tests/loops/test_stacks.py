"""Stacks in the context of a task."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import copy_context

import pytest

from turnlog.loops.stacks import ContextStack

pytestmark = pytest.mark.anyio


def test_blocks_nest_and_may_be_entered_twice() -> None:
    stack: ContextStack[str] = ContextStack("nested")
    with stack.inside("a"), stack.inside("b"):
        with stack.inside("a"):
            assert [*stack.entries] == ["a", "b", "a"]
        assert [*stack.entries] == ["a", "b"]
    assert [*stack.entries] == []


async def test_a_task_begins_with_a_copy() -> None:
    stack: ContextStack[str] = ContextStack("copied")

    async def within() -> tuple[str, ...]:
        with stack.inside("inner"):
            return stack.entries

    with stack.inside("outer"):
        task = asyncio.create_task(within())
    assert await task == ("outer", "inner")
    assert [*stack.entries] == []


async def test_a_block_may_be_left_in_another_context() -> None:
    stack: ContextStack[str] = ContextStack("generator")

    async def generator() -> AsyncIterator[None]:
        with stack.inside("a"):
            yield

    inside = generator()
    await anext(inside)
    with stack.inside("b"):
        closing = asyncio.ensure_future(anext(inside, None))
        await closing  # a task of its own, which begins with a copy of this context
        assert [*stack.entries] == ["a", "b"]


def test_what_was_not_entered_here_stays_as_it_is() -> None:
    stack: ContextStack[str] = ContextStack("elsewhere")
    block = stack.inside("a")
    copy_context().run(block.__enter__)
    with stack.inside("b"):
        block.__exit__(None, None, None)
        assert [*stack.entries] == ["b"]
