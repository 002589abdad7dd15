"""Items as other formats have them, and back. All of it is pure.

items ──▶ responses_input     the Responses API of any provider, whoever the history is from
items ◀─▶ chat messages       Chat Completions: OpenAI, Gemini, Ollama, vLLM, ...
items ◀─▶ anthropic messages  Anthropic's Messages API

What a format has no form for is left out of it, logged once by its type; the log keeps it.
"""

from turnlog.convert.anthropic import AnthropicView, anthropic_messages
from turnlog.convert.anthropic_items import items_from_anthropic
from turnlog.convert.chat import chat_messages
from turnlog.convert.chat_items import items_from_chat
from turnlog.convert.responses import responses_input

__all__ = [
    "AnthropicView",
    "anthropic_messages",
    "chat_messages",
    "items_from_anthropic",
    "items_from_chat",
    "responses_input",
]
