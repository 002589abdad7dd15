"""An editor shows what the parameters mean, over a class, a method and a blocking twin."""

from collections.abc import Iterator

import pytest

from tests.typing.language_server import LanguageServer

pytestmark = pytest.mark.slow

CODE = """
import turnlog
from turnlog import Agent, EncryptSession, Runner, SQLiteSession, function_tool, open_store
from turnlog.sync import RedisSession, SQLiteSession as Blocking

session = SQLiteSession("user_123", "conversations.db")
turnlog.SQLAlchemySession.from_url("user_123", url="postgresql://host/database")
Runner.run(Agent("Assistant"), "Hi", session=session)
Runner.run_sync(Agent("Assistant"), "Hi", session=session)
Runner.run_streamed(Agent("Assistant"), "Hi", session=session)
session.turn("Hi")
Blocking("user_123", "conversations.db")
RedisSession.from_url("user_123", "redis://localhost")
RedisSession("user_123", None)
EncryptSession(session, "key")
open_store("conversations.db")
session.close()
session.session_settings
turnlog.SQLAlchemySession("user_123", None)
"""

#: What stands below the pointer, and what has to be shown: a parameter and its meaning.
SHOWN = {
    "session = SQLiteSession": ["session_id: any string; every id", "db_path: the database file"],
    "SQLAlchemySession.from_url": ["url: such as ", "engine_kwargs: go to"],
    "Runner.run": ["input: what the user says", "max_turns: how often the model", "key: a name"],
    "Runner.run_sync": ["input: what the user says", "session: any object"],
    "Runner.run_streamed": ["input: what the user says", "session: any object"],
    "Runner.run(Agent": ["instructions: text that the model gets", "tools: functions that"],
    "session.turn": ["new: the user's message", "key: a name for this turn"],
    "\nBlocking": ["session_id: any string; every id", "db_path: the database file"],
    "\nRedisSession": ["The blocking twin of `turnlog.RedisSession`", "redis_client: a client of"],
    "\nEncryptSession": ["encryption_key: 32 random bytes", "inner_session: of a session"],
    "\nopen_store": ["The store"],
    "session.close": ["Close the session"],
    "session.session_settings": ["How much is read when the caller doesn't say"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    with LanguageServer(CODE) as server:
        yield server


@pytest.mark.parametrize("text", SHOWN, ids=str.strip)
def test_the_meaning_of_the_parameters_is_shown(text: str, server: LanguageServer) -> None:
    shown = server.hover(text)
    for part in SHOWN[text]:
        assert part in shown
