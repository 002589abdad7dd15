"""One run: ask the model, store its response, call the tools, until the model has answered."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import replace
from typing import Any

from turnlog.agents.agent import Agent
from turnlog.agents.begun import turn_on
from turnlog.agents.bounding import bounded, check_compaction, reads_compaction
from turnlog.agents.calls import call_tools, hand_over
from turnlog.agents.config import RunConfig
from turnlog.agents.context import RunContextWrapper
from turnlog.agents.events import (
    AgentUpdatedStreamEvent,
    RawResponsesStreamEvent,
    RunItemStreamEvent,
    StreamEvent,
)
from turnlog.agents.handoffs import Handoff, handoffs_of
from turnlog.agents.model_names import name_of, resolve_model
from turnlog.agents.models.call_ids import with_own_ids
from turnlog.agents.models.model import (
    Model,
    ModelRequest,
    ModelResponse,
    ResponseDone,
    TextDelta,
    Usage,
    responded,
    stream,
)
from turnlog.agents.models.settings import ModelSettings
from turnlog.agents.output import OutputType
from turnlog.agents.replay import replayed, text_of_answer
from turnlog.agents.result import (
    HandoffOutputItem,
    RunItem,
    RunResult,
    ToolCallOutputItem,
    run_item,
)
from turnlog.agents.session_compaction import SessionCompaction
from turnlog.agents.tools.tool import FunctionTool
from turnlog.agents.transcript import Transcript
from turnlog.conversation.compaction.automatic import compacted_after
from turnlog.conversation.reading.run_input import run_input
from turnlog.conversation.session import Session, StoredSession
from turnlog.conversation.summaries.outcome import Compacted
from turnlog.conversation.turns.answering import accounted, accounted_in_turn, answered
from turnlog.conversation.turns.beginning import Begun
from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.conversation.usage.recording import PendingUsage, recorded
from turnlog.conversation.usage.spending import Spending
from turnlog.errors import MaxTurnsExceeded
from turnlog.items.json import Item
from turnlog.items.merge import Merged
from turnlog.items.messages import unchecked
from turnlog.items.repair import repair
from turnlog.items.turns import is_answered

__all__ = ["Run"]


class Run:
    """One run of an agent on new input, with a session as its memory.

    new: the new input, as items.
    watch: called with each event of the run; None asks the model for whole responses.
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
        self.transcript = Transcript()
        self._compaction = SessionCompaction(session, config)
        self._session = self._compaction.run
        self._config = config
        self._max_turns = max_turns
        self._context = RunContextWrapper[Any](context)
        self._watch = watch
        self._turn: OpenTurn | None = None
        #: What the run has spent.
        self.spending = Spending()
        self._pending: PendingUsage | None = None
        self._have_called: set[int] = set()  # the ids of agents that called tools
        #: Whether an earlier start with the same key has stored the answer.
        self.is_replay = False

    @property
    def usage(self) -> Usage:
        """The tokens that the run has spent so far."""
        return self._context.usage

    @property
    def _model(self) -> Model | str | None:
        """The model to ask, or its name; that of the run before that of the agent."""
        return self._config.model or self.agent.model

    async def finish(self) -> RunResult:
        """Run to the end. What has happened by then is stored even if this raises."""
        check_compaction(self._session, self._config)
        self._compaction.check(self._model)
        async with turn_on(
            self._session, self._view, self._config, self.new, self.spending
        ) as begun:
            self._session, self._turn = begun.session, begun.turn
            self.is_replay = begun.answer is not None
            self.transcript.begin(begun.shown)
            async with self._accounted(begun) as self._pending:
                output = await self._output(begun.answer)
        compacted = await self._compacted(begun)
        if not self.is_replay:
            await self._compact_session()
        return RunResult(
            self.new,
            self.transcript.items,
            output,
            self.agent,
            self.usage,
            getattr(begun.session, "branch", None),
            self.spending,
            compacted,
            self.is_replay,
        )

    async def _compacted(self, begun: Begun[Session | None]) -> Compacted | None:
        """The outcome of the compaction behind the turn, which is over; None if none was due."""
        compaction, session = self._config.compaction, begun.session
        if compaction is None or not isinstance(session, StoredSession) or begun.answer is not None:
            return None
        return await compacted_after(
            session, compaction, question=begun.question, reported=self.spending.last
        )

    async def _compact_session(self) -> None:
        """Have the session compact itself, if it can. The turn is over, and its lease is free."""
        cost = await self._compaction.compact(self._session)
        if cost.is_empty:
            return
        self._context.usage += self.spending.add(cost, self.agent.name, self._compaction.model)
        if self._pending is not None:
            await recorded(self._pending)

    async def _output(self, answer: list[Item] | None) -> Any:
        """The final output. answer: what an earlier start of this run has stored."""
        if answer is None:
            return await self._until_answered()
        return await self._answered_before(answer)

    def _accounted(
        self, begun: Begun[Session | None]
    ) -> AbstractAsyncContextManager[PendingUsage | None]:
        """Within, what the run spends is recorded on its session, if that is one of ours.

        Without a session, it is recorded for the turn around the run, if there is one.
        """
        if begun.session is None:
            return accounted_in_turn(self.spending)
        if isinstance(begun.session, StoredSession):
            return accounted(begun.session, begun.turn, begun.question, self.spending)
        return nullcontext()

    async def _view(self, session: Session | None, *, resumes: bool = True) -> Merged:
        if session is None:
            return Merged(repair(self.new), self.new)
        return await run_input(
            session,
            self.new,
            settings=self._config.session_settings,
            callback=self._config.session_input_callback,
            resumes=resumes,
            reads_compaction=reads_compaction(self.agent, self._config),
            compaction=self._compaction.items_for(self._model),
            bounding=compaction.bounding if (compaction := self._config.compaction) else None,
        )

    async def _answered_before(self, answer: list[Item]) -> Any:
        """The output of an earlier start of this run, whose items are stored."""
        self.transcript.begin_response()
        items = [item async for item in replayed(self.agent, answer, self._context)]
        if self._watch is not None and (text := text_of_answer(items)):
            self._watch(RawResponsesStreamEvent(TextDelta(text)))
        for item in items:
            self._add(item)
            if isinstance(item, HandoffOutputItem | ToolCallOutputItem):
                self.transcript.begin_response()
            if isinstance(item, HandoffOutputItem) and item.target_agent is not None:
                self._hand_to(item.target_agent)
        return self._final_output()

    async def _until_answered(self) -> Any:
        asked = 0
        while self._max_turns is None or asked < self._max_turns:
            asked += 1
            if await self._step():
                return self._final_output()
        raise MaxTurnsExceeded(self._max_turns)

    async def _step(self) -> bool:
        """Ask the model once and make the calls that it asks for; whether it has answered."""
        agent = self.agent
        tools = await agent.tools_for(self._context)
        handoffs = await handoffs_of(agent, self._context)
        request = await self._request(tools, handoffs)
        response = with_own_ids(await self._answer_of_model(request))
        self._compaction.note(request, response, self._model)
        handing = [item for item in response.output if _is_call_of(item, handoffs)]
        calls = [item for item in response.output if _is_call(item) and item not in handing]
        is_answer = not calls and not handing
        await self._keep_response(response, handing, is_answer=is_answer)
        if calls:
            self._have_called.add(id(agent))
            await call_tools(agent, calls, tools, self._context, self._keep)
        if handing:
            target, chosen = await hand_over(agent, handing, handoffs, self._context, self._keep)
            await self._continue_with(target, chosen)
        return is_answer

    async def _request(
        self, tools: dict[str, FunctionTool], handoffs: dict[str, Handoff]
    ) -> ModelRequest:
        agent = self.agent
        output = OutputType.of(agent.output_type)
        request = ModelRequest(
            self.transcript.shown,
            await agent.instructions_for(self._context),
            tools=tuple(tool.definition for tool in tools.values()),
            handoffs=tuple(each.definition for each in handoffs.values()),
            output=output.definition if output else None,
            settings=self._settings(),
        )
        return await bounded(request, self._config, self._session)

    def _settings(self) -> ModelSettings:
        settings = self.agent.model_settings.resolve(self._config.model_settings)
        if self.agent.reset_tool_choice and id(self.agent) in self._have_called:
            settings = replace(settings, tool_choice=None)
        return settings

    async def _answer_of_model(self, request: ModelRequest) -> ModelResponse:
        """The response to `request`. What it has cost is counted, also if it is none."""
        model = resolve_model(self._model)
        cost = Usage()

        def report(usage: Usage) -> None:
            nonlocal cost
            cost = usage

        try:
            response = await self._respond(model, replace(request, report=report))
            cost = response.usage
        finally:
            self._context.usage += self.spending.add(cost, self.agent.name, name_of(model))
        return response

    async def _respond(self, model: Model, request: ModelRequest) -> ModelResponse:
        if self._watch is None:
            return await responded(model, request)
        async with aclosing(stream(model, request)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    self._watch(RawResponsesStreamEvent(event))
                elif isinstance(event, ResponseDone):
                    return event.response
        raise RuntimeError(f"{type(model).__name__}.stream ended without ResponseDone")

    async def _keep_response(
        self, response: ModelResponse, handing: list[Item], *, is_answer: bool
    ) -> None:
        """Store a whole response: half of one would be neither an answer nor a call."""
        if is_answer:
            await self._store_answer(response.output)
        else:
            await self._store(response.output)
        self.transcript.begin_response()
        for item in response.output:
            self._add(run_item(self.agent, item, is_handoff=item in handing))

    async def _keep(self, item: RunItem) -> None:
        await self._store([item.raw_item])
        self._add(item)

    def _add(self, item: RunItem) -> None:
        self.transcript.add(item)
        if self._watch is not None:
            self._watch(RunItemStreamEvent(item))

    async def _store(self, items: list[Item]) -> None:
        if self._session is not None and items:
            # A session that isn't ours may keep the very objects that it is given.
            ours = isinstance(self._session, StoredSession)
            with unchecked():
                await self._session.add_items(items if ours else copy.deepcopy(items))

    async def _store_answer(self, output: list[Item]) -> None:
        """Store the last response; mark the turn as over if its items don't show that."""
        earlier = [item.raw_item for item in self.transcript.items]
        is_over = not is_answered([*earlier, *output])
        if isinstance(self._session, StoredSession):
            with unchecked():
                await answered(
                    self._session, self._turn, output, is_over=is_over, pending=self._pending
                )
        else:
            await self._store(output)

    def _hand_to(self, agent: Agent) -> None:
        self.agent = agent
        if self._watch is not None:
            self._watch(AgentUpdatedStreamEvent(agent))

    async def _continue_with(self, agent: Agent, chosen: Handoff) -> None:
        self._hand_to(agent)
        if chosen.input_filter is not None:
            await self.transcript.filter(chosen.input_filter, self._context)

    def _final_output(self) -> Any:
        output = OutputType.of(self.agent.output_type)
        text = self.transcript.answer
        return text if output is None else output.parse(text)


def _is_call(item: Item) -> bool:
    return item.get("type") == "function_call"


def _is_call_of(item: Item, handoffs: dict[str, Handoff]) -> bool:
    return _is_call(item) and item.get("name") in handoffs
