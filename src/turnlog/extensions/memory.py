"""The names that users of the OpenAI Agents SDK import from `agents.extensions.memory`.

Each is loaded when it is asked for: most need an extra.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnlog import AsyncSQLiteSession, DaprSession, RedisSession, SQLAlchemySession
    from turnlog.sessions.dapr import DAPR_CONSISTENCY_EVENTUAL, DAPR_CONSISTENCY_STRONG

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
    home = "turnlog.sessions.dapr" if name.startswith("DAPR_") else "turnlog"
    return getattr(import_module(home), name)
