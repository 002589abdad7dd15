"""Replacement of the items of a session that knows no better than to be cleared and filled again.

If that fails or is cancelled, what was there before is put back.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
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

    If it fails or is cancelled, what was there is put back, and the error is raised.
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
        if not await finished(_put_back(session, kept, read)):
            error.add_note(
                f"the {len(kept)} items that were there could not be put back; "
                f"the log of `{__name__}` says why"
            )
        raise
    done()


async def _at_once(
    session: Any, replace: Any, output: Sequence[Item], done: Callable[[], None]
) -> bool:
    is_done = bool(await replace(session, copied([*output])))
    if is_done:
        done()  # before a cancellation is heeded
    return is_done


async def _put_back(session: Any, previous: list[Item], read: Read) -> bool:
    """Have `session` hold the `previous` items again, whatever it holds now."""
    for number in range(_TRIES):
        try:
            await _put_back_once(session, previous, read)
        except Exception as error:  # noqa: BLE001 - the caller raises the first error
            _logger.warning(
                "session %r: putting the history back failed (try %d of %d): %s",
                session.session_id,
                number + 1,
                _TRIES,
                type(error).__name__,
            )
        else:
            _logger.warning(
                "session %r: compaction failed, and the history was put back", session.session_id
            )
            return True
    return False


async def _put_back_once(session: Any, previous: list[Item], read: Read) -> None:
    current = await read()
    if current == previous:
        return
    if current:
        await session.clear_session()
    if previous:
        with unchecked():  # it was stored before
            await session.add_items(copied(previous))
