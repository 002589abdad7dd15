"""One run: ask the model, store what it says, call what it calls, until it has answered."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import replace
from typing import Any

from turnlog.agents.agent import Agent
from turnlog.agents.call_ids import with_own_ids
from turnlog.agents.calls import call_tools, hand_over
from turnlog.agents.config import RunConfig
from turnlog.agents.context import RunContextWrapper
from turnlog.agents.events import (
    AgentUpdatedStreamEvent,
    RawResponsesStreamEvent,
    RunItemStreamEvent,
    StreamEvent,
)
from turnlog.agents.handoffs import Handoff, HandoffInputData, handoffs_of
from turnlog.agents.models.model import (
    ModelRequest,
    ModelResponse,
    ResponseDone,
    TextDelta,
    Usage,
    stream,
)
from turnlog.agents.models.names import resolve_model
from turnlog.agents.models.settings import ModelSettings
from turnlog.agents.output import OutputType
from turnlog.agents.result import MessageOutputItem, RunItem, RunResult, run_item
from turnlog.conversation.reading.endings import Endings
from turnlog.conversation.reading.recall import recall
from turnlog.conversation.session import Session, StoredSession
from turnlog.conversation.turns.holding import OpenTurn, begin_turn, open_turn_on
from turnlog.conversation.turns.policy import turn_taken
from turnlog.errors import MaxTurnsExceeded
from turnlog.items.json import Item
from turnlog.items.merge import Merged, input_items
from turnlog.items.repair import repair
from turnlog.items.turns import is_answered
from turnlog.records import Log

__all__ = ["Run"]


class Run:
    """One run of an agent on new input, with a session as its memory.

    new: the new input, as items.
    watch: is told what happens, as it happens; None asks the model for whole responses.
    """

    def __init__(
        self,
        agent: Agent,
        new: list[Item],
        session: Session | None,
        config: RunConfig,
        max_turns: int | None,
        context: object,
        watch: Callable[[StreamEvent], None] | None = None,
    ) -> None:
        self.agent = agent
        self.new = new
        self.items: list[RunItem] = []
        self.usage = Usage()
        self._session = session
        self._config = config
        self._max_turns = max_turns
        self._context = RunContextWrapper[Any](context)
        self._watch = watch
        # What the model is shown: what the run began with, and what came of it; both as the
        # filters of handoffs have left them.
        self._shown: list[Item] = []
        self._since: list[RunItem] = []
        self._before = 0  # how many of these there were when the model was asked last
        self._answer: list[RunItem] = []  # what came of asking it last
        self._have_called: set[int] = set()  # the ids of agents that called tools

    async def finish(self) -> RunResult:
        """Go through with it. What happened is stored even if this raises."""
        async with _turn(self._session, self._config) as session:
            self._session = session
            self._shown = await begin_turn(self._recalled, self._store, _open_turn_on(session))
            output = await self._until_answered()
            await self._end()
        branch = getattr(session, "branch", None) if session is not None else None
        return RunResult(self.new, self.items, output, self.agent, self.usage, branch)

    async def _end(self) -> None:
        """Say that the turn is over, where what the model answered doesn't show it."""
        session = self._session
        shows = is_answered([item.raw_item for item in self.items])
        if isinstance(session, StoredSession) and not shows:
            log = Log(session.session_id, session.branch)
            await Endings(session.store, log).mark_all()

    async def _recalled(self) -> Merged:
        if self._session is None:
            return Merged(self.new, self.new)
        return await recall(
            self._session,
            self.new,
            settings=self._config.session_settings,
            callback=self._config.session_input_callback,
        )

    async def _until_answered(self) -> Any:
        turns = 0
        while True:
            turns += 1
            if self._max_turns is not None and turns > self._max_turns:
                raise MaxTurnsExceeded(self._max_turns)
            self._before, self._answer = len(self._since), []
            if await self._turn():
                return self._final_output()

    async def _turn(self) -> bool:
        """Ask the model once and do what it asks for; whether it has answered."""
        agent = self.agent
        tools = await agent.tools_for(self._context)
        handoffs = await handoffs_of(agent, self._context)
        response = with_own_ids(await self._asked(await self._request(tools, handoffs)))
        self.usage = self._context.usage = self.usage + response.usage
        wishes = [item for item in response.output if _is_call_of(item, handoffs)]
        await self._keep_response(response, wishes)
        calls = [item for item in response.output if _is_call(item) and item not in wishes]
        if calls:
            self._have_called.add(id(agent))
            await call_tools(agent, calls, tools, self._context, self._keep)
        if wishes:
            target, chosen = await hand_over(agent, wishes, handoffs, self._context, self._keep)
            await self._go_on_with(target, chosen)
        return not calls and not wishes

    async def _request(self, tools: dict[str, Any], handoffs: dict[str, Handoff]) -> ModelRequest:
        agent = self.agent
        output = OutputType.of(agent.output_type)
        return ModelRequest(
            repair(self._all_shown()),
            await agent.instructions_for(self._context),
            tools=tuple(tool.definition for tool in tools.values()),
            handoffs=tuple(each.definition for each in handoffs.values()),
            output=output.definition if output else None,
            settings=self._settings(),
        )

    def _settings(self) -> ModelSettings:
        settings = self.agent.model_settings.resolve(self._config.model_settings)
        if self.agent.reset_tool_choice and id(self.agent) in self._have_called:
            settings = replace(settings, tool_choice=None)
        return settings

    def _all_shown(self) -> list[Item]:
        return [*self._shown, *(item.raw_item for item in self._since)]

    async def _asked(self, request: ModelRequest) -> ModelResponse:
        model = resolve_model(self._config.model or self.agent.model)
        if self._watch is None:
            return await model.respond(request)
        async with aclosing(stream(model, request)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    self._watch(RawResponsesStreamEvent(event))
                elif isinstance(event, ResponseDone):
                    return event.response
        raise RuntimeError(f"{type(model).__name__}.stream ended without ResponseDone")

    async def _keep_response(self, response: ModelResponse, wishes: list[Item]) -> None:
        """Store a whole response: half of one would be neither an answer nor a call."""
        await self._store(response.output)
        for item in response.output:
            self._note(run_item(self.agent, item, is_handoff=item in wishes))

    async def _keep(self, item: RunItem) -> None:
        await self._store([item.raw_item])
        self._note(item)

    def _note(self, item: RunItem) -> None:
        for items in (self.items, self._since, self._answer):
            items.append(item)
        if self._watch is not None:
            self._watch(RunItemStreamEvent(item))

    async def _store(self, items: list[Item]) -> None:
        if self._session is not None and items:
            # A session of somebody else's may keep the very objects that it is given.
            ours = isinstance(self._session, StoredSession)
            await self._session.add_items(items if ours else copy.deepcopy(items))

    async def _go_on_with(self, agent: Agent, chosen: Handoff) -> None:
        self.agent = agent
        if self._watch is not None:
            self._watch(AgentUpdatedStreamEvent(agent))
        if chosen.input_filter is None:
            return
        data = HandoffInputData(
            tuple(self._shown),
            tuple(self._since[: self._before]),
            tuple(self._since[self._before :]),
            self._context,
        )
        shown: object = chosen.input_filter(data)
        shown = await shown if inspect.isawaitable(shown) else shown
        if not isinstance(shown, HandoffInputData):
            raise TypeError(
                f"an input_filter returns HandoffInputData, as data.clone(…) does, "
                f"not {type(shown).__name__}"
            )
        new = shown.new_items if shown.input_items is None else shown.input_items
        self._shown = input_items(shown.input_history)
        self._since = [*shown.pre_handoff_items, *new]

    def _final_output(self) -> Any:
        messages = [item for item in self._answer if isinstance(item, MessageOutputItem)]
        text = messages[-1].text if messages else ""
        output = OutputType.of(self.agent.output_type)
        return text if output is None else output.parse(text)


def _turn(
    session: Session | None, config: RunConfig
) -> AbstractAsyncContextManager[Session | None]:
    """Within, no other run writes to the session, where it is one that leases work on."""
    if isinstance(session, StoredSession):
        return turn_taken(session, config.session_policy, seconds=config.lease_seconds)
    return nullcontext(session)


def _open_turn_on(session: Session | None) -> OpenTurn | None:
    if not isinstance(session, StoredSession):
        return None
    return open_turn_on(session.store, Log(session.session_id, session.branch))


def _is_call(item: Item) -> bool:
    return item.get("type") == "function_call"


def _is_call_of(item: Item, handoffs: dict[str, Handoff]) -> bool:
    return _is_call(item) and item.get("name") in handoffs
