"""Conversion of items to the formats of providers and back; all functions are pure.

items ──▶ responses_input     the Responses API of any provider, for a history from any provider
items ◀─▶ chat messages       Chat Completions: OpenAI, Gemini, Ollama, vLLM, ...
items ◀─▶ anthropic messages  Anthropic's Messages API

An item or part that a format can't express is left out and logged once by its type. The
stored items never change.
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
