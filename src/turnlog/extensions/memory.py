"""The names that users of the OpenAI Agents SDK import from `agents.extensions.memory`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import turnlog

if TYPE_CHECKING:
    pass

_NAMES = ("AsyncSQLiteSession", "RedisSession", "SQLAlchemySession")

__all__ = list(_NAMES)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(turnlog, name)
