"""Recalling: a tool that gets what a view has shortened."""

from __future__ import annotations

from turnlog.agents.tools.tool import FunctionTool, function_tool
from turnlog.conversation.opened import items_of
from turnlog.conversation.session import StoredSession
from turnlog.conversation.turns.current import branch_under_way
from turnlog.items.kinds import is_output
from turnlog.items.shortening import RECALL
from turnlog.records import Log
from turnlog.sync.session import BlockingSession

__all__ = ["recall_tool"]

_MISSING = "There is no output with the id {id!r}. Ids stand in the markers of outputs not shown."


def recall_tool(session: StoredSession | BlockingSession) -> FunctionTool:
    """A tool for an `Agent` with which a model gets an output that was shortened.

    session: the one that the agent runs on, or its blocking twin.

    It reads outputs of tools of one branch, and nothing else: that of the run under way, which
    the policy "branch" may have made for it; outside of a run, that of `session`.
    """
    own = session.session if isinstance(session, BlockingSession) else session
    if not isinstance(own, StoredSession):
        raise TypeError(
            f"recall_tool needs a session of Turnlog, which keeps what was shortened, not a "
            f"{type(own).__name__}"
        )

    async def recall(id: str) -> object:  # noqa: A002 - the word that markers use
        """Gets an output of an earlier tool call in full.

        Args:
            id: The id in the marker that stands in its place.
        """
        branch = branch_under_way(own.store, own.session_id) or own.branch
        log = Log(own.session_id, branch)
        position = int(id) if id.isascii() and id.isdigit() and len(id) < _DIGITS else 0
        if position < 1:
            return _MISSING.format(id=id[:40])
        records = await own.store.read(log, after=position - 1, before=position + 1)
        item = next(iter(items_of(log, records)), None)
        if item is None or not is_output(item):
            return _MISSING.format(id=id)
        return item.get("output", "")

    return function_tool(name_override=RECALL)(recall)


#: Positions have fewer digits than this on every store.
_DIGITS = 19
