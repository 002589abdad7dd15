"""The code that the examples of docstrings take for granted."""

__all__ = ["AROUND_DOCSTRINGS"]

_SESSION = "from turnlog import SQLiteSession\nsession = SQLiteSession('user_123')"

#: By module and name; what is an example of its own needs nothing.
AROUND_DOCSTRINGS = {
    "__init__": "",
    "about.describe": _SESSION,
    "openai_compaction.OpenAIResponsesCompactionSession": (
        "from turnlog import OpenAIResponsesCompactionSession, SQLiteSession"
    ),
    "policy.Compaction": "from turnlog import Compaction, summarised_by",
    "session.turn": f"{_SESSION}\nfrom openai import AsyncOpenAI\nclient = AsyncOpenAI()",
    "tool.function_tool": "from turnlog import function_tool",
}
