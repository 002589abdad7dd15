"""Blocks: an `async with` of the background loop as a `with` of the calling thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Generic, TypeVar

from turnlog.sync.loop import run, run_certainly, run_until_interrupted

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["WithBlock"]

V = TypeVar("V")
T_co = TypeVar("T_co", covariant=True)


class WithBlock(AbstractContextManager[T_co], Generic[V, T_co]):
    """`inner` as a `with` block.

    twin: makes what the block is given of what `inner` gives.

    What `inner` sets in context variables holds in the calling thread within the block, and in
    threads that are started with a copy of its context: they are inside of the turn. Others are
    not. Ctrl-C while it is entered gives back what was taken, and within the block is an error
    like any other. A child process that was forked within the block leaves it to its parent.
    """

    def __init__(self, inner: AbstractAsyncContextManager[V], twin: Callable[[V], T_co]) -> None:
        self._inner = inner
        self._twin = twin
        self._before, self._after = Context(), Context()
        # Both are used on the background loop only, one step at a time.
        self._is_inside = self._is_abandoned = False
        self._process = os.getpid()

    def __enter__(self) -> T_co:
        try:
            value = run_until_interrupted(self._enter)
            self._take_over_context()
            return self._twin(value)
        except Exception:
            raise
        except BaseException:  # it may have been entered all the same
            run(self._abandon)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        if self._process != os.getpid():
            return None
        try:
            return run_certainly(self._leave, kind, error, trace)
        finally:
            self._take_over_context()

    async def _enter(self) -> V:
        self._before = copy_context()
        value = await self._inner.__aenter__()
        self._after = copy_context()
        self._is_inside = True
        if self._is_abandoned:
            await self._leave(None, None, None)
        return value

    async def _abandon(self) -> None:
        self._is_abandoned = True
        await self._leave(None, None, None)

    async def _leave(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        if not self._is_inside:
            return None
        self._is_inside = False
        self._before = copy_context()
        try:
            return await self._inner.__aexit__(kind, error, trace)
        finally:
            self._after = copy_context()

    def _take_over_context(self) -> None:
        """Set what the last call has set in context variables, as if it had been made here."""
        before, self._before = self._before, self._after
        for variable, value in self._after.items():
            if variable not in before or before[variable] is not value:
                variable.set(value)
