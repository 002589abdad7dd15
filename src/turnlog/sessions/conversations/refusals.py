"""Refusals: errors for what a conversation at OpenAI can't do, which say what to do instead."""

from __future__ import annotations

from typing import Any, NoReturn

from turnlog.conversation.closing import OpensNothing
from turnlog.errors import NotSupported

__all__ = ["Refusals", "refuse"]


def refuse(what: str, instead: str) -> NoReturn:
    """Raise the `NotSupported` that says so."""
    raise NotSupported(f"OpenAI's Conversations API has no {what}: {instead}")


_COPY = "copy the conversation to a stored session with copy_to(…)"
_WINDOW = "show models less of it with session_settings, such as max_turns or max_tokens"
_USAGE = "with a store=, usage() tells what the runs of turnlog's Runner have spent"


class Refusals(OpensNothing):
    """The methods of stored sessions that need branches, positions or a lease of their own."""

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

    async def compact(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: a summary can't be kept beside the items."""
        refuse("place for summaries", f"{_WINDOW}, or {_COPY}")

    async def drop_summary(self) -> NoReturn:
        """Raises `NotSupported`: there are no summaries."""
        refuse("place for summaries", _COPY)

    async def list_branches(self) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        refuse("branches", _COPY)

    async def create_branch_from_turn(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        refuse("branches", _COPY)

    async def create_branch_from_content(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        refuse("branches", _COPY)

    async def switch_to_branch(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        refuse("branches", _COPY)

    async def get_conversation_turns(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: items have no positions and no times."""
        refuse("positions and times", _COPY)

    async def find_turns_by_content(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: items have no positions and no times."""
        refuse("positions and times", _COPY)

    async def get_conversation_by_turns(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: items have no positions."""
        refuse("positions", _COPY)

    async def get_tool_usage(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: items have no positions."""
        refuse("positions", _COPY)

    async def get_session_usage(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: see `usage`."""
        refuse("record of usage", _USAGE)

    async def get_turn_usage(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: items have no positions. See `usage`."""
        refuse("record of usage", _USAGE)

    async def store_run_usage(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: see `usage`."""
        refuse("record of usage", _USAGE)
