"""Environment variables: the default model and the address of its API."""

from __future__ import annotations

import os

__all__ = ["address", "default_name", "is_openai"]

_OPENAI = "api.openai.com"
_DEFAULT_ADDRESS = f"https://{_OPENAI}/v1"

#: The smallest model of OpenAI's current series; also the default of the SDK.
_DEFAULT_NAME = "gpt-5.6-luna"


def default_name() -> str | None:
    """The name of the default model; None without OPENAI_API_KEY."""
    if not os.environ.get("OPENAI_API_KEY"):
        return None
    named = os.environ.get("TURNLOG_MODEL") or os.environ.get("OPENAI_DEFAULT_MODEL")
    return named or _DEFAULT_NAME


def address() -> str:
    """The base URL of the default client.

    A variable that is set and empty counts as not set, unlike in the client itself, because
    compose files and CI systems pass unset variables in that way.
    """
    return os.environ.get("OPENAI_BASE_URL") or _DEFAULT_ADDRESS


def is_openai(host: str | None) -> bool:
    """Whether `host` is OpenAI's own API, in any region."""
    return host == _OPENAI or (host or "").endswith(f".{_OPENAI}")
