"""The examples on the pages, and what those need that don't stand alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.docs.blocks import PAGES, Block, blocks_on, printing_on
from tests.providers.openai_server import Reply
from turnlog.items.json import Item

__all__ = ["OUTPUTS", "PAGES", "PARTS", "PROGRAMS", "Part", "parts"]


@dataclass(frozen=True)
class Part:
    """What a part of a program needs to run, and what it then prints.

    before, after: code around it. stand_in: code that stands for a package, put before that; the
    type checkers see the package itself. replies: what the model's server says.
    """

    prints: str
    stand_in: str = ""
    before: str = ""
    after: str = ""
    replies: list[Reply] = field(default_factory=list)


def _named(kind: str) -> Iterator[tuple[str, Block]]:
    """The blocks of a kind that are run, named by their page and their number on it."""
    for page in PAGES:
        run = [block for block in blocks_on(page) if block.kind == kind and not block.fragment]
        for number, block in enumerate(run, 1):
            yield f"{block.page} {number}", block


PROGRAMS = {name: block.code for name, block in _named("python")}

_OUTPUTS = {code: said.code for page in PAGES for code, said in printing_on(page)}

#: What the programs print, by the same names; only of those whose page says it.
OUTPUTS = {name: _OUTPUTS[block] for name, block in _named("python") if block in _OUTPUTS}


def parts() -> dict[str, str]:
    return {name: block.code for name, block in _named("py")}


def _message(text: str) -> Item:
    said = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "msg_1", "type": "message", "role": "assistant", "content": [said]}


_WEATHER = {"name": "weather", "arguments": '{"city":"Oslo"}'}
_CALL = {"tool_calls": [{"id": "call_1", "type": "function", "function": _WEATHER}]}
_SESSION = "from turnlog import SQLiteSession\nsession = SQLiteSession('user_123')\n"
_BLOCKING = "from turnlog.sync import SQLiteSession\nsession = SQLiteSession(session_id='s')\n"
_ASKED = 'await session.add_items([{"role": "user", "content": "hi"}])\n'
_AGENT = """
from turnlog import Agent, Runner
agent, request_id = Agent("Assistant", model="gpt-5.6-luna"), "request-7f3a"
"""
_CLIENT = "from turnlog import AsyncOpenAI\nclient = AsyncOpenAI()\n"
_SDK_AGENT = """
import agents
agents.set_tracing_disabled(True)
agent = agents.Agent("Assistant", model="gpt-5.6-luna")
"""
_COST = "\nprint((await session.usage('turn'))[1].total_tokens)"
_CLAIMED = """
from turnlog import Log
from turnlog.stores.memory import MemoryStore
store, answer, tokens = MemoryStore(), b"{}", b"{}"
claim = await store.append(Log("user_123", ":lease"), [b"{}"])
"""
_ANSWERS = "\nprint(len(await store.read(Log('user_123'))))"
_STORED = "\nprint(len(await session.get_items()))"

#: Stand-ins for packages that ask a server, with the forms that those answer in.
_LITELLM = """
import sys, types
from openai.types.chat import ChatCompletion

async def acompletion(model, messages):
    assert messages[-1] == {"role": "user", "content": "What's my name?"}
    message = {"role": "assistant", "content": "Alice."}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    made = {"id": "1", "object": "chat.completion", "created": 1, "model": model}
    return ChatCompletion.model_validate({**made, "choices": [choice]})

sys.modules["litellm"] = types.SimpleNamespace(acompletion=acompletion)
"""
_ANTHROPIC = """
import sys, types

class AsyncAnthropic:
    def __init__(self):
        self.messages = self

    async def create(self, *, model, max_tokens, system, messages):
        assert (messages[-1]["role"], system) == ("user", "")
        content = [{"type": "text", "text": "Alice."}]
        return types.SimpleNamespace(content=content)

sys.modules["anthropic"] = types.SimpleNamespace(AsyncAnthropic=AsyncAnthropic)
"""
_JSON_STORE = """
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure, first_calls_of

class JSONStore(MemoryStore):
    def __init__(self, path: str) -> None:
        super().__init__()
"""
_RETRIED = """
from turnlog import StoredSession
session = StoredSession("user", store)
for _ in range(2):
    try:
        await session.add_items([{"role": "user", "content": "hi"}], key="k")
    except ConnectionError:
        print("lost")
print(len(await session.get_items()))
"""

_KEYS = """
from pathlib import Path
from turnlog import Keyring, Passphrase
from turnlog.layers.encryption.key_files import write_key_file
from turnlog.layers.encryption.key_sets import KeySet
write_key_file(Path("keys.json"), lambda _: KeySet.new("2026-11"))
"""
_SEALED = """
import asyncio
print(len(asyncio.run(session.get_items())))
print(b"Alice" in b"".join(each.read_bytes() for each in Path().glob("chats.db*")))
"""

_TWO_TURNS = """
from turnlog import Agent, Runner
agent = Agent("Assistant")
for question in ("Where is Oslo?", "And in summer?"):
    await Runner.run(agent, question, session=session)
"""

_STREAMING = """
import asyncio
from collections.abc import AsyncGenerator
from turnlog import Agent, Runner, RunResultStreaming
"""
_STREAMED = """
run = Runner.run_streamed(Agent("Assistant"), "My name is Alice")
print([piece async for piece in pieces(run)][0])
"""

PARTS = {
    "README.md 1": Part(
        prints="It rains in Oslo.4\n",
        before=_SESSION,
        after="print(len(await session.get_items()))",
        replies=[Reply(message=_CALL), Reply(message={"content": "It rains in Oslo."})],
    ),
    "README.md 2": Part(
        prints="Hello Alice.\n2\n",
        after="print(await ask('I am Alice'))\nprint(len(await session.get_items()))",
        replies=[Reply([_message("Hello Alice.")])],
    ),
    "README.md 3": Part(
        prints="{} {}\n1 2\n",  # the offline model spends nothing
        before=_SESSION + _TWO_TURNS,
        after="print(len(await session.get_items()) // 2, len(rows))",
    ),
    "README.md 4": Part(
        prints="Hello Alice.\n2\n",
        after="print(ask('I am Alice'))\nprint(len(session.get_items()))",
        replies=[Reply([_message("Hello Alice.")])],
    ),
    "docs/encryption.md 1": Part(prints="2\nFalse\n", before=_KEYS, after=_SEALED),
    "docs/encryption.md 2": Part(
        prints="['2026-11', 'passphrase']\n", before=_KEYS, after="print(ring.ids)"
    ),
    "docs/guides/fastapi.md 1": Part(prints="I'll\n", before=_STREAMING, after=_STREAMED),
    "docs/guides/flask.md 1": Part(
        prints="Hello Alice.\nHello Alice.\n2\n",
        after="for _ in range(2): print(ask('I am Alice', 'k'))\nprint(len(session.get_items()))",
        replies=[Reply([_message("Hello Alice.")])],
    ),
    "docs/runs.md 1": Part(
        prints="Booked.\n2\n",
        before=_SESSION + _AGENT,
        after="print(result.final_output)" + _STORED,
        replies=[Reply([_message("Booked.")])],
    ),
    "docs/runs.md 2": Part(prints="1 kept \n", before=_SESSION + _ASKED),
    "docs/runs.md 3": Part(prints="2\n", stand_in=_LITELLM, before=_SESSION, after=_STORED),
    "docs/runs.md 4": Part(prints="2\n", stand_in=_ANTHROPIC, before=_SESSION, after=_STORED),
    "docs/runs.md 5": Part(
        prints="2\n27\n",
        before='request_id = "request-7f3a"',
        after="print(len(session.get_items()))\nprint(session.usage().total_tokens)",
        replies=[Reply([_message("Alice.")])],
    ),
    "docs/runs.md 6": Part(
        prints="Hello Alice.\n2\n",
        before=_AGENT
        + "from turnlog.sync import SQLiteSession\nsession = SQLiteSession(session_id='s')",
        after="print()\nprint(len(session.get_items()))",
        replies=[Reply([_message("Hello Alice.")])],
    ),
    "docs/sdk.md 1": Part(
        prints="Book it.\nBook it.\n2\n",
        before=_SESSION + _SDK_AGENT + "from agents import Runner\n",
        after="for _ in range(2):\n    print(await answer('Book it', 'request-1'))" + _STORED,
        replies=[Reply([_message("Book it.")])],
    ),
    "docs/usage.md 1": Part(
        prints="27\n",
        before=_SESSION + _CLIENT,
        after=_COST,
        replies=[Reply([_message("Hello Alice.")])],
    ),
    "docs/usage.md 2": Part(
        prints="27\n",
        before=_SESSION + _SDK_AGENT,
        after=_COST,
        replies=[Reply([_message("Hello Alice.")])],
    ),
    "docs/why.md 1": Part(prints="1\n", before=_CLAIMED, after=_ANSWERS),
    "docs/write-a-store.md 1": Part(prints="lost\n1\n", before=_JSON_STORE, after=_RETRIED),
}
