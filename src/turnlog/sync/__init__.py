"""Sessions for code without an event loop: scripts, notebooks, Flask.

    from turnlog.sync import SQLiteSession

    session = SQLiteSession("conversations.db", session_id="user_123")
    session.add_items([{"role": "user", "content": "My name is Alice."}])
    items = session.get_items()

Every call runs on one event loop, on a daemon thread of this process, and waits until
it has ended. So any number of threads can make calls at once. They also work inside
another running event loop, which stands still meanwhile.
"""

from typing import TYPE_CHECKING

from turnlog.lazy import LazyNames
from turnlog.sync.advanced import AdvancedSQLiteSession
from turnlog.sync.loop import run
from turnlog.sync.session import BlockingSession
from turnlog.sync.sqlite import SQLiteSession
from turnlog.sync.store import BlockingStore, open_store
from turnlog.sync.stored import BlockingStoredSession, StoredSession
from turnlog.sync.turns import BlockingHeld, BlockingTurn
from turnlog.sync.twins import blocking

if TYPE_CHECKING:
    from turnlog.agents.blocking import BlockingRunStream as BlockingRunStream
    from turnlog.agents.blocking import run_streamed as run_streamed
    from turnlog.sync.dapr import DaprSession as DaprSession
    from turnlog.sync.encrypted import EncryptedSession as EncryptedSession
    from turnlog.sync.encrypted import EncryptSession as EncryptSession
    from turnlog.sync.openai_compaction import (
        OpenAIResponsesCompactionSession as OpenAIResponsesCompactionSession,
    )
    from turnlog.sync.openai_conversations import (
        OpenAIConversationsSession as OpenAIConversationsSession,
    )
    from turnlog.sync.redis import RedisSession as RedisSession
    from turnlog.sync.sqlalchemy import SQLAlchemySession as SQLAlchemySession

__all__ = [
    "AdvancedSQLiteSession",
    "BlockingHeld",
    "BlockingSession",
    "BlockingStore",
    "BlockingStoredSession",
    "BlockingTurn",
    "SQLiteSession",
    "StoredSession",
    "blocking",
    "open_store",
    "run",
]

_names = LazyNames(
    __name__,
    {
        "BlockingRunStream": "turnlog.agents.blocking",
        "run_streamed": "turnlog.agents.blocking",
        "DaprSession": "turnlog.sync.dapr",
        "EncryptSession": "turnlog.sync.encrypted",
        "EncryptedSession": "turnlog.sync.encrypted",
        "OpenAIResponsesCompactionSession": "turnlog.sync.openai_compaction",
        "OpenAIConversationsSession": "turnlog.sync.openai_conversations",
        "RedisSession": "turnlog.sync.redis",
        "SQLAlchemySession": "turnlog.sync.sqlalchemy",
    },
)
__getattr__ = _names.resolve


def __dir__() -> list[str]:
    return sorted({*globals(), *_names.listed()})
