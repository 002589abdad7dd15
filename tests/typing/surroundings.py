"""The code that examples take for granted, where they are not run with it."""

__all__ = ["AROUND_DOCSTRINGS", "AROUND_PARTS"]

_SESSION = "from turnlog import SQLiteSession\nsession = SQLiteSession('user_123')"
_SDK = """
from agents import Agent, Runner
agent, question, request_id = Agent("Assistant"), "What's my name?", "request-7f3a"
"""
_BLOCKING = """
from openai import OpenAI
from turnlog.sync import SQLiteSession
client, session = OpenAI(), SQLiteSession("user_123")
"""

#: By module and name; what is an example of its own needs nothing.
AROUND_DOCSTRINGS = {
    "about.describe": _SESSION,
    "blocking.run_streamed": (
        "from turnlog import Agent, SQLiteSession\nfrom turnlog.sync import run_streamed\n"
        "agent, question, session = Agent('A'), 'Hi', SQLiteSession('user_123')"
    ),
    "holdable.held": f"{_SESSION}{_SDK}",
    "openai_compaction.OpenAIResponsesCompactionSession": (
        "from turnlog import OpenAIResponsesCompactionSession, SQLiteSession"
    ),
    "policy.Compaction": "from turnlog import Compaction, summarised_by",
    "sqlite.SQLiteSession": "from turnlog.sync import SQLiteSession",
    "store.Layer": (
        "from typing import TypeVar\nfrom turnlog import Layer\nfrom turnlog.store import Call\n"
        "T = TypeVar('T')"
    ),
    "stored.held": f"{_BLOCKING}{_SDK}",
    "stored.turn": _BLOCKING,
    "tool.function_tool": "from turnlog import function_tool",
    "turn_blocks.turn": f"{_SESSION}\nfrom openai import AsyncOpenAI\nclient = AsyncOpenAI()",
}

#: Parts that a test of their page runs inside of its program.
AROUND_PARTS = {
    "docs/guides/fastapi.md 1": (
        "from collections.abc import AsyncGenerator\nfrom turnlog import RunResultStreaming"
    ),
}
