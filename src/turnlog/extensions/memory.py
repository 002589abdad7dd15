"""The names that users of the OpenAI Agents SDK import from `agents.extensions.memory`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import turnlog

if TYPE_CHECKING:
    pass

_NAMES = ("AsyncSQLiteSession", "RedisSession", "SQLAlchemySession")

__all__ = [
    "DAPR_CONSISTENCY_EVENTUAL",
    "DAPR_CONSISTENCY_STRONG",
    "AsyncSQLiteSession",
    "DaprSession",
    "RedisSession",
    "SQLAlchemySession",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.startswith("DAPR_"):
        return getattr(import_module("turnlog.sessions.dapr"), name)
    return getattr(turnlog, name)
