"""Scripted conversations with agents of the OpenAI Agents SDK, with everything that can happen.

Each script is a function of a `Talk`, which is one session and a model with scripted answers.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import agents
import httpx2 as httpx
from agents import (
    Agent,
    GuardrailFunctionOutput,
    RunConfig,
    function_tool,
    input_guardrail,
    output_guardrail,
)
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call
from openai import BadRequestError
from openai.types.responses import ResponseReasoningItem
from openai.types.responses.response_reasoning_item import Summary

__all__ = ["STORIES", "Talk", "Way", "reasoning", "says"]

#: Runs an agent on an input, as `Runner.run` does.
Way = Callable[..., Awaitable[Any]]


class Talk:
    """One session, a model with scripted answers, and the result of every turn."""

    def __init__(self, session: Any, way: Way) -> None:
        self.session = session
        self.model = ScriptedModel()
        self.outcomes: list[object] = []
        self._way = way

    def agent(self, name: str = "Assistant", **options: Any) -> Agent:
        return Agent(name, model=self.model, **options)

    async def say(self, agent: Agent, text: Any, steps: Sequence[Any], **options: Any) -> Any:
        """One turn, in which the model answers with `steps`."""
        self.model.extend(steps)
        try:
            result = await self._way(agent, text, session=self.session, **options)
        except Exception as error:  # noqa: BLE001 - whatever it is, both must meet the same
            self.outcomes.append(type(error))
            return None
        self.outcomes.append(str(result.final_output))
        return result

    def shown(self) -> str:
        """What the model saw on every call, keys in their order."""
        return _exactly([(call.input, asdict(call.model_settings)) for call in self.model.calls])

    async def stored(self) -> str:
        """What the session holds, keys in their order."""
        return _exactly(await self.session.get_items(10_000))


def _exactly(value: object) -> str:
    return json.dumps(value, indent=1, default=repr)


def says(text: str) -> list[Any]:
    return [assistant_message(text)]


async def plain(talk: Talk) -> None:
    agent = talk.agent(instructions="Be kind.")
    for n in range(4):
        await talk.say(agent, f"question {n}", [says(f"answer {n}")])


async def unicode(talk: Talk) -> None:
    agent = talk.agent()
    for text in ("Grüße, 世界 👩‍🚀", "\u2028\u0000\x1f\\\"'", "half an emoji: \ud83d", ""):
        await talk.say(agent, text, [says(f"echo {text}")])


async def a_list_as_input(talk: Talk) -> None:
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"},
    ]
    given = [
        {"role": "developer", "content": "Look closely."},
        {"content": parts, "role": "user", "type": "message"},
        {"role": "user", "content": "Well?", "score": 0.1, "big": 10**30, "none": None},
    ]
    await talk.say(talk.agent(), given, [says("A pixel.")])
    await talk.say(talk.agent(), "Sure?", [says("Sure.")])


@function_tool
def add(a: int, b: int) -> int:
    return a + b


@function_tool
async def weather(city: str) -> str:
    # Paris answers last, so that the order of calls and the order of endings differ.
    await asyncio.sleep(0.01 if city == "Paris" else 0)
    return f"rain in {city}, ☂"


@function_tool(failure_error_function=None)
def explode() -> str:
    raise OSError("boom")


@function_tool
def stumble() -> str:
    raise OSError("oops")


async def tools(talk: Talk) -> None:
    agent = talk.agent(tools=[add, weather])
    sums = [function_call("add", {"a": 1, "b": 2}, call_id="c1")]
    await talk.say(agent, "1 + 2?", [sums, says("3")])
    parallel = [
        assistant_message("Let me see.", item_id="thinking-aloud"),
        function_call("weather", {"city": "Paris"}, call_id="c2"),
        function_call("weather", {"city": "Rome"}, call_id="c3"),
        function_call("add", {"a": 3, "b": 4}, call_id="c4"),
    ]
    again = [function_call("weather", {"city": "Oslo"}, call_id="c5")]
    await talk.say(agent, "Weather?", [parallel, again, says("Rain.")])
    await talk.say(agent, "Thanks", [says("You're welcome.")])


async def tools_that_fail(talk: Talk) -> None:
    agent = talk.agent(tools=[explode, stumble])
    await talk.say(agent, "1", [[function_call("stumble", {}, call_id="c1")], says("It stumbled.")])
    await talk.say(agent, "2", [[function_call("explode", {}, call_id="c2")]])
    await talk.say(agent, "3", [says("Still here.")])


async def an_unknown_tool(talk: Talk) -> None:
    await talk.say(talk.agent(), "1", [[function_call("nothing", {}, call_id="c1")]])
    await talk.say(talk.agent(), "2", [says("Never mind.")])


async def a_handoff(talk: Talk) -> None:
    expert = talk.agent("Expert", tools=[add])
    desk = talk.agent("Desk", handoffs=[expert])
    over = [function_call("transfer_to_expert", {}, call_id="c1")]
    sums = [function_call("add", {"a": 1, "b": 2}, call_id="c2")]
    result = await talk.say(desk, "A sum, please", [over, sums, says("3")])
    await talk.say(result.last_agent, "And doubled?", [says("6")])
    await talk.say(desk, "Thanks", [says("Any time.")])


def reasoning(number: int) -> Any:
    return ResponseReasoningItem(
        id=f"rs_{number}",
        type="reasoning",
        summary=[Summary(text="Hm.", type="summary_text")],
        encrypted_content="c2VjcmV0",
    )


async def reasoning_items(talk: Talk, **options: Any) -> None:
    agent = talk.agent(tools=[add])
    sums = [reasoning(1), function_call("add", {"a": 1, "b": 2}, call_id="c1")]
    steps = [sums, [reasoning(2), assistant_message("3")]]
    await talk.say(agent, "1 + 2?", steps, run_config=RunConfig(**options))
    await talk.say(agent, "Sure?", [[reasoning(3), assistant_message("Yes.")]])


reasoning_without_ids = partial(reasoning_items, reasoning_item_id_policy="omit")


async def with_callback(talk: Talk, callback: Callable[..., Any]) -> None:
    config = RunConfig(session_input_callback=callback)
    agent = talk.agent(tools=[add])
    for n in range(3):
        sums = [function_call("add", {"a": n, "b": n}, call_id=f"c{n}")]
        await talk.say(agent, f"question {n}", [sums, says(f"answer {n}")], run_config=config)


def newest(history: list[Any], new: list[Any]) -> list[Any]:
    return history[-3:] + new


async def newest_async(history: list[Any], new: list[Any]) -> list[Any]:
    await asyncio.sleep(0)
    return newest(history, new)


def meddling(history: list[Any], new: list[Any]) -> list[Any]:
    told = {"role": "developer", "content": f"There were {len(history)} items."}
    return [told, *new, *reversed([item for item in history if "role" in item])]


def forgetful(_history: list[Any], new: list[Any]) -> list[Any]:
    return [dict(item) for item in new]


async def a_limit_on_the_session(talk: Talk) -> None:
    talk.session.session_settings = agents.SessionSettings(limit=3)
    await tools(talk)
    await plain(talk)


async def a_limit_on_the_run(talk: Talk, settings: Any) -> None:
    agent = talk.agent()
    for n in range(4):
        config = RunConfig(session_settings=settings)
        await talk.say(agent, f"question {n}", [says(f"answer {n}")], run_config=config)


async def a_limit_on_both(talk: Talk) -> None:
    talk.session.session_settings = agents.SessionSettings(limit=4)
    await a_limit_on_the_run(talk, agents.SessionSettings(limit=1))
    await a_limit_on_the_run(talk, agents.SessionSettings())


async def the_model_fails(talk: Talk) -> None:
    agent = talk.agent(tools=[add])
    sums = [function_call("add", {"a": 1, "b": 2}, call_id="c1")]
    await talk.say(agent, "1", [OSError("down")])
    await talk.say(agent, "2", [sums, OSError("down again")])
    await talk.say(agent, "3", [says("Back.")])


async def the_conversation_is_locked(talk: Talk) -> None:
    response = httpx.Response(400, request=httpx.Request("POST", "https://example.org"))
    locked = BadRequestError("locked", response=response, body={"code": "conversation_locked"})
    agent = talk.agent(tools=[add])
    sums = [function_call("add", {"a": 1, "b": 2}, call_id="c1")]
    await talk.say(agent, "1 + 2?", [locked, sums, locked, locked, says("3")])
    await talk.say(agent, "Sure?", [locked, locked, locked, locked])
    await talk.say(agent, "Well?", [says("Yes.")])


async def too_many_turns(talk: Talk) -> None:
    sums = [function_call("add", {"a": 1, "b": 2}, call_id="c1")]
    more = [function_call("add", {"a": 3, "b": 4}, call_id="c2")]
    await talk.say(talk.agent(tools=[add]), "Count", [sums, more], max_turns=2)
    await talk.say(talk.agent(), "Stop", [says("Stopped.")])


async def an_input_is_refused(talk: Talk, *, in_parallel: bool) -> None:
    @input_guardrail(run_in_parallel=in_parallel)
    async def no_secrets(_context: Any, _agent: Any, given: Any) -> GuardrailFunctionOutput:
        refused = "secret" in json.dumps(given[-1:] if isinstance(given, list) else given)
        if in_parallel and not refused:
            await asyncio.sleep(0)
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=refused)

    agent = talk.agent(input_guardrails=[no_secrets])
    await talk.say(agent, "Hello", [says("Hi.")])
    await talk.say(agent, "Tell me a secret", [ModelStep.respond(_slowly)] if in_parallel else [])
    await talk.say(agent, "Sorry", [says("Fine.")])


async def _slowly(_call: object) -> list[Any]:
    await asyncio.sleep(0.05)
    return says("It is 42.")


async def an_output_is_refused(talk: Talk) -> None:
    @output_guardrail
    async def no_swearing(_context: Any, _agent: Any, given: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered="damn" in given)

    agent = talk.agent(output_guardrails=[no_swearing])
    await talk.say(agent, "Hello", [says("damn")])
    await talk.say(agent, "Pardon?", [says("Hello.")])


@function_tool(needs_approval=True)
def launch() -> str:
    return "launched"


async def an_approval(talk: Talk, *, granted: bool) -> None:
    agent = talk.agent(tools=[launch, add])
    calls = [
        function_call("launch", {}, call_id="c1"),
        function_call("add", {"a": 1, "b": 2}, call_id="c2"),
    ]
    result = await talk.say(agent, "Go", [calls])
    state = result.to_state()
    for interruption in result.interruptions:
        (state.approve if granted else state.reject)(interruption)
    await talk.say(agent, state, [says("Done.")])
    await talk.say(agent, "Thanks", [says("Any time.")])


async def undoing(talk: Talk) -> None:
    await plain(talk)
    talk.outcomes += [await talk.session.pop_item(), await talk.session.pop_item()]
    await talk.say(talk.agent(), "Asked differently", [says("Aha.")])
    await talk.session.clear_session()
    await plain(talk)


STORIES: dict[str, Callable[[Talk], Awaitable[None]]] = {
    "plain": plain,
    "unicode": unicode,
    "a list as input": a_list_as_input,
    "tools": tools,
    "tools that fail": tools_that_fail,
    "an unknown tool": an_unknown_tool,
    "a handoff": a_handoff,
    "reasoning": reasoning_items,
    "reasoning without ids": reasoning_without_ids,
    "callback": partial(with_callback, callback=newest),
    "async callback": partial(with_callback, callback=newest_async),
    "meddling callback": partial(with_callback, callback=meddling),
    "forgetful callback": partial(with_callback, callback=forgetful),
    "limit on the session": a_limit_on_the_session,
    "limit on the run": partial(a_limit_on_the_run, settings=agents.SessionSettings(limit=3)),
    "limit in a dict": partial(a_limit_on_the_run, settings={"limit": 2}),
    "limit of nothing": partial(a_limit_on_the_run, settings={"limit": 0}),
    "limit on both": a_limit_on_both,
    "the model fails": the_model_fails,
    "locked": the_conversation_is_locked,
    "too many turns": too_many_turns,
    "input refused": partial(an_input_is_refused, in_parallel=False),
    "input refused in parallel": partial(an_input_is_refused, in_parallel=True),
    "output refused": an_output_is_refused,
    "approved": partial(an_approval, granted=True),
    "not approved": partial(an_approval, granted=False),
    "undoing": undoing,
}
