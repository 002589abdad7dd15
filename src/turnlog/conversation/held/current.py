"""Current blocks: which held blocks the running task is in, itself or through its starter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from turnlog.records import Log
from turnlog.store import Store

if TYPE_CHECKING:
    from turnlog.conversation.held.block import Block

__all__ = ["block_on", "blocks", "inside_block"]


def blocks() -> tuple[Block, ...]:
    """The held blocks that the running task is in, the outermost first."""
    return _blocks.get()


def block_on(store: Store, log: Log) -> Block | None:
    """The held block on `log` that the running task is in; None if there is none.

    One that has ended counts too, for tasks that were started in it.
    """
    for block in reversed(_blocks.get()):
        if block.log == log and block.store.identity == store.identity:
            return block
    return None


@contextmanager
def inside_block(block: Block) -> Iterator[None]:
    """Within, the running task and the tasks and threads that it starts are in `block`."""
    _blocks.set((*_blocks.get(), block))
    try:
        yield
    finally:
        # Not reset by a token: the block may be left in another context.
        _blocks.set(tuple(each for each in _blocks.get() if each is not block))


_blocks: ContextVar[tuple[Block, ...]] = ContextVar("turnlog_held_blocks", default=())
