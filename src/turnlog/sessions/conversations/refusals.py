"""What a conversation at OpenAI can't do, refused with an error that says what to do instead."""

from __future__ import annotations

from typing import Any, NoReturn

from turnlog.conversation.closing import Closes
from turnlog.errors import NotSupported

__all__ = ["Refusals", "refuse"]


def refuse(what: str, instead: str) -> NoReturn:
    """Raise the `NotSupported` that says so."""
    raise NotSupported(f"OpenAI's Conversations API has no {what}: {instead}")


_COPY = "copy the conversation to a stored session with copy_to(…)"


class Refusals(Closes):
    """The methods of stored sessions that need branches or positions."""

    async def fork(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        refuse("branches", _COPY)

    async def switch_to(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        refuse("branches", _COPY)

    async def branches(self) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        refuse("branches", _COPY)

    async def delete_branch(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        refuse("branches", _COPY)

    async def edit(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        refuse("branches", _COPY)

    async def diff(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        refuse("branches", _COPY)

    async def rewind(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: the tail can't be dropped in one step."""
        refuse("step that drops several items", "pop_item() removes one, or " + _COPY)

    async def turns(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: items have no positions and no times."""
        refuse("positions and times", _COPY)

    async def explain(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: items have no positions."""
        refuse("positions", _COPY)
