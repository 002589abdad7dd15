"""Bounds of a run with compaction: what a model may be shown, and what it can read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace

from turnlog.agents.agent import Agent
from turnlog.agents.config import RunConfig
from turnlog.agents.model_names import resolve_model
from turnlog.agents.models.model import Model, ModelRequest, ToolDefinition
from turnlog.conversation.compaction.policy import counter_of
from turnlog.conversation.compaction.summariser import is_summary
from turnlog.conversation.session import Session, StoredSession
from turnlog.conversation.settings import SessionSettings
from turnlog.items.json import Item
from turnlog.items.tokens import TokenCounter
from turnlog.items.turns import turn_starts

__all__ = ["bounded", "check_compaction", "reads_compaction"]


def check_compaction(session: Session | None, config: RunConfig) -> None:
    """Raise `ValueError` or `TypeError` if `session` can't be compacted as `config` asks."""
    if config.compaction is None or session is None:
        return
    if not isinstance(session, StoredSession):
        raise ValueError(  # noqa: TRY004 - as for a key
            "RunConfig.compaction needs a session whose items are in a store of Turnlog, which "
            "keeps what a summary stands for; on any other, session_settings bound what a model "
            "is shown"
        )
    session._check_compactable()  # noqa: SLF001 - not for users


def reads_compaction(agent: Agent, config: RunConfig) -> bool:
    """Whether the models of a run can all read a provider's compaction items.

    Those of agents to which it may be handed over are among them. Models say so by an attribute
    of that name.
    """
    if config.model is not None:
        return _reads(config.model)
    return all(_reads(each.model) for each in _reachable(agent))


def _reachable(agent: Agent) -> list[Agent]:
    found, known, todo = [], set[int](), [agent]
    while todo:
        each = todo.pop()
        if id(each) in known:
            continue
        known.add(id(each))
        found.append(each)
        todo += [to if isinstance(to, Agent) else to.agent for to in each.handoffs]
    return found


def _reads(model: Model | str | None) -> bool:
    try:
        return getattr(resolve_model(model), "reads_compaction", False) is True
    except Exception:  # noqa: BLE001 - it is raised when the model is asked
        return False


async def bounded(
    request: ModelRequest, config: RunConfig, session: Session | None
) -> ModelRequest:
    """`request` with as many of its newest turns as its compaction allows.

    Views leave room for the new input. This also counts what the run itself has brought about, the
    instructions and the tools. The last turn is always shown, and whole.
    """
    most = None if config.compaction is None else config.compaction.max_tokens
    if config.compaction is None or most is None:
        return request
    own = SessionSettings.of(getattr(session, "session_settings", None))
    count = await counter_of(config.compaction, own.resolve(config.session_settings))
    room = most - sum(map(count, _beside(request)))
    return replace(request, items=_fitting(request.items, room, count))


def _fitting(items: list[Item], room: int, count: TokenCounter) -> list[Item]:
    """`items` without as many of the oldest turns as exceed `room`; a summary goes last."""
    starts = turn_starts(items)
    if not starts or sum(map(count, items)) <= room:
        return items
    front = items[:1] if is_summary(items[0]) else []
    begins = [start for start in starts if start >= max(1, len(front))]
    shorter: Iterable[list[Item]] = (
        [*front_or_not, *items[start:]] for front_or_not in (front, []) for start in begins
    )
    last = items[starts[-1] :]
    return next((each for each in shorter if sum(map(count, each)) <= room), last)


def _beside(request: ModelRequest) -> list[Item]:
    """What a model is sent beside the items, as items."""
    texts = [_text(each) for each in (*request.tools, *request.handoffs)]
    return [{"content": text} for text in [request.instructions or "", *texts] if text]


def _text(tool: ToolDefinition) -> str:
    return json.dumps(asdict(tool))
