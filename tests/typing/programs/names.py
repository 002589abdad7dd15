"""Every public name, by each way of reaching it, with its own type."""

from typing import assert_type

import turnlog
import turnlog.extensions.memory
import turnlog.memory
import turnlog.sync
from turnlog import *  # noqa: F403 - a checker must see its names # pyright: ignore[reportWildcardImportFromLibrary]
from turnlog.extensions.memory import AdvancedSQLiteSession as Advanced
from turnlog.extensions.memory import EncryptedSession as Sealed
from turnlog.memory import OpenAIConversationsSession as Conversations
from turnlog.memory import Session as Protocol
from turnlog.memory import SQLiteSession as SQLite


def by_attribute() -> None:
    assert_type(turnlog.SQLiteSession, type[turnlog.memory.SQLiteSession])
    assert_type(turnlog.SQLiteSession("user_123"), turnlog.SQLiteSession)
    assert_type(turnlog.open_store("conversations.db"), turnlog.Store)
    assert_type(turnlog.__version__, str)
    assert_type(turnlog.extensions.memory.AsyncSQLiteSession("user_123").session_id, str)
    assert_type(turnlog.sync.SQLiteSession(session_id="user_123").session_id, str)


def by_import(session: SQLite, other: Conversations, protocol: Protocol) -> None:
    assert_type(session, turnlog.SQLiteSession)
    assert_type(other, turnlog.OpenAIConversationsSession)
    assert_type(protocol, turnlog.Session)
    assert_type(Advanced("user_123"), turnlog.AdvancedSQLiteSession)
    assert_type(Sealed("user_123", session, "key"), turnlog.EncryptedSession)


def by_star() -> None:
    agent = Agent("Assistant")  # noqa: F405 - see the import
    assert_type(agent.name, str)


def errors() -> BaseException | None:
    try:
        by_star()
    except turnlog.SessionBusy as error:
        return error
    except (turnlog.StoreClosed, turnlog.Conflict, turnlog.InvalidItem) as error:
        return error
    except turnlog.TurnlogError as error:
        return error
    return None


def main() -> None:
    """All of it that asks nobody."""
    by_attribute()
    errors()
