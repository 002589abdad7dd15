"""The names that users of the OpenAI Agents SDK import from `agents.extensions.memory`.

Each is loaded when it is asked for: most need an extra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnlog.lazy import LazyNames

if TYPE_CHECKING:
    from turnlog.sessions import AdvancedSQLiteSession, AsyncSQLiteSession
    from turnlog.sessions.dapr import (
        DAPR_CONSISTENCY_EVENTUAL,
        DAPR_CONSISTENCY_STRONG,
        DaprSession,
    )
    from turnlog.sessions.encrypted import EncryptedSession
    from turnlog.sessions.redis import RedisSession
    from turnlog.sessions.sqlalchemy import SQLAlchemySession

    __all__ = [
        "DAPR_CONSISTENCY_EVENTUAL",
        "DAPR_CONSISTENCY_STRONG",
        "AdvancedSQLiteSession",
        "AsyncSQLiteSession",
        "DaprSession",
        "EncryptedSession",
        "RedisSession",
        "SQLAlchemySession",
    ]

_names = LazyNames(
    __name__,
    {
        "DAPR_CONSISTENCY_EVENTUAL": "turnlog.sessions.dapr",
        "DAPR_CONSISTENCY_STRONG": "turnlog.sessions.dapr",
        "AdvancedSQLiteSession": "turnlog.sessions",
        "AsyncSQLiteSession": "turnlog.sessions",
        "DaprSession": "turnlog.sessions.dapr",
        "EncryptedSession": "turnlog.sessions.encrypted",
        "RedisSession": "turnlog.sessions.redis",
        "SQLAlchemySession": "turnlog.sessions.sqlalchemy",
    },
)
if not TYPE_CHECKING:  # a type checker would take every misspelled name for one of these
    #: It also answers for `__all__`, which depends on the extras that are installed.
    __getattr__ = _names.resolve


def __dir__() -> list[str]:
    return sorted({*globals(), *_names.listed()})
