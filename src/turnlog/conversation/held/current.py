"""Current blocks: which held blocks the running task is in, itself or through its starter."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from turnlog.loops.stacks import ContextStack
from turnlog.records import Log
from turnlog.store import Store

if TYPE_CHECKING:
    from turnlog.conversation.held.block import Block

__all__ = ["block_on", "blocks", "inside_block"]


def blocks() -> tuple[Block, ...]:
    """The held blocks that the running task is in, the outermost first."""
    return _blocks.entries


def block_on(store: Store, log: Log) -> Block | None:
    """The held block on `log` that the running task is in; None if there is none.

    One that has ended counts too, for tasks that were started in it.
    """
    for block in reversed(_blocks.entries):
        if block.log == log and block.store.identity == store.identity:
            return block
    return None


def inside_block(block: Block) -> AbstractContextManager[None]:
    """Within, the running task and the tasks and threads that it starts are in `block`."""
    return _blocks.inside(block)


_blocks: ContextStack[Block] = ContextStack("turnlog_held_blocks")
