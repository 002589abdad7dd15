"""Replacement of the items of a session that knows no better than to be cleared and filled again.

If that fails or is cancelled, what was there before is put back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from turnlog.items.json import Item, copied
from turnlog.items.messages import unchecked
from turnlog.loops.finishing import finished

__all__ = ["Read", "replaced"]

#: Reads all items of the session.
Read: TypeAlias = Callable[[], Awaitable[list[Item]]]

_logger = logging.getLogger(__name__)

#: How often putting back is tried before it is given up.
_TRIES = 3


async def replaced(
    session: Any,
    output: Sequence[Item],
    previous: Sequence[Item],
    read: Read,
    done: Callable[[], None],
) -> None:
    """Replace the `previous` items of `session` by `output`: in one step if it can, else in two.

    done: called as soon as it has certainly happened.

    If it fails or is cancelled, what was there is put back, and the error is raised. What others
    have added since stays behind it.
    """
    kept = copied([*previous])
    # On the type: a wrapper that forwards all names would go past what it does to items.
    replace = getattr(type(session), "_atomic_replace_items", None)
    if replace is not None and await finished(_at_once(session, replace, output, done)):
        return
    try:
        await session.clear_session()
        with unchecked():
            await session.add_items(copied([*output]))
    except BaseException as error:
        await _put_back(_Before(session, kept, copied([*output]), read), error)
        raise
    done()


async def _at_once(
    session: Any, replace: Any, output: Sequence[Item], done: Callable[[], None]
) -> bool:
    is_done = bool(await replace(session, copied([*output])))
    if is_done:
        done()  # before a cancellation is heeded
    return is_done


@dataclass(frozen=True)
class _Before:
    """What was there before: the `items` of `session`, which `output` was to replace."""

    session: Any
    items: list[Item]
    output: list[Item]
    read: Read

    async def put_back(self) -> bool:
        """Have the session hold the items again, whatever it holds now. False if that fails."""
        for number in range(_TRIES):
            try:
                await self._put_back_once()
            # A cancellation does not come from the caller: that waits. The event loop may be
            # about to close, and cancel all tasks; what was there has to be put back first.
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is logged
                _logger.warning(
                    "session %r: putting the history back failed (try %d of %d): %s",
                    self.session.session_id,
                    number + 1,
                    _TRIES,
                    type(error).__name__,
                )
            else:
                _logger.warning(
                    "session %r: compaction failed, and the history was put back",
                    self.session.session_id,
                )
                return True
        return False

    async def _put_back_once(self) -> None:
        current = await self.read()
        if current[: len(self.items)] == self.items:
            return
        items = [*self.items, *self._added_to(current)]
        if current:
            await self.session.clear_session()
        if items:
            with unchecked():  # it was stored before
                await self.session.add_items(copied(items))

    def _added_to(self, current: list[Item]) -> list[Item]:
        """Those of the `current` items that others have added meanwhile."""
        ours = max(_alike(current, self.items), _alike(current, self.output))
        return [item for item in current[ours:] if item not in self.items]


async def _put_back(before: _Before, error: BaseException) -> None:
    """Put back what was there, after `error`; a note tells if that fails.

    Raises `CancelledError` if the caller is cancelled meanwhile, but not before it has ended.
    """
    work = asyncio.ensure_future(before.put_back())
    try:
        await finished(work)
    except asyncio.CancelledError as cancelled:
        _note(before, cancelled, is_back=work.result())
        raise cancelled from error
    _note(before, error, is_back=work.result())


def _note(before: _Before, error: BaseException, *, is_back: bool) -> None:
    if not is_back:
        error.add_note(
            f"the {len(before.items)} items that were there could not be put back; "
            f"the log of `{__name__}` says why"
        )


def _alike(one: Sequence[Item], other: Sequence[Item]) -> int:
    """How many items are the same at the beginning of both."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
