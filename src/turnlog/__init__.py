"""Conversation memory for AI agents that never loses, duplicates, reorders or corrupts a turn.

    from turnlog import Agent, Runner, SQLiteSession

    session = SQLiteSession("user_123", "conversations.db")
    Runner.run_sync(Agent("Assistant"), "My name is Alice.", session=session)

Every name below is imported when it is first used, so that `import turnlog` costs
little and loads no driver.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnlog.errors import (
        Conflict,
        InvalidItem,
        SchemaError,
        StoreClosed,
        TurnlogError,
        Unreadable,
    )
    from turnlog.items import Item, TResponseInputItem
    from turnlog.session import Session, SessionABC, StoredSession
    from turnlog.sessions import AsyncSQLiteSession, SQLiteSession
    from turnlog.settings import SessionSettings
    from turnlog.store import Cursor, Head, Layer, Log, Record, Store

__version__ = "0.1.0"

_HOMES = {
    "turnlog.errors": (
        "Conflict",
        "InvalidItem",
        "SchemaError",
        "StoreClosed",
        "TurnlogError",
        "Unreadable",
    ),
    "turnlog.items": ("Item", "TResponseInputItem"),
    "turnlog.session": ("Session", "SessionABC", "StoredSession"),
    "turnlog.sessions": ("AsyncSQLiteSession", "SQLiteSession"),
    "turnlog.settings": ("SessionSettings",),
    "turnlog.store": ("Cursor", "Head", "Layer", "Log", "Record", "Store"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: F822 - resolved on first use
    "AsyncSQLiteSession",
    "Conflict",
    "Cursor",
    "Head",
    "InvalidItem",
    "Item",
    "Layer",
    "Log",
    "Record",
    "SQLiteSession",
    "SchemaError",
    "Session",
    "SessionABC",
    "SessionSettings",
    "Store",
    "StoreClosed",
    "StoredSession",
    "TResponseInputItem",
    "TurnlogError",
    "Unreadable",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'turnlog' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
