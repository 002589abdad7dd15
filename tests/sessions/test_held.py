"""Sessions around a session of ours: which of them can be held, and what is said of the others."""

from collections.abc import Callable
from typing import Any

import agents
import agents.extensions.memory
import pytest
from agents.testing import ScriptedModel

from tests.sample_items import answer, user
from tests.sdk.scripted_talks import says
from tests.strangers import Stranger
from turnlog import (
    EncryptSession,
    NotSupported,
    OpenAIResponsesCompactionSession,
    StoredSession,
)
from turnlog.sessions.encrypted import EncryptedSession
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

KEY = "a passphrase that is long enough"


def _compacted(inner: StoredSession) -> Any:
    return OpenAIResponsesCompactionSession("s", inner, model="gpt-5-mini")


def _encrypted(inner: StoredSession) -> Any:
    return EncryptSession(inner, KEY)


@pytest.mark.parametrize("around", [_compacted, _encrypted], ids=["compacted", "encrypted"])
async def test_a_retry_under_the_sdks_runner(around: Callable[[StoredSession], Any]) -> None:
    agents.set_tracing_disabled(disabled=True)
    session = around(StoredSession("s", MemoryStore()))
    model = ScriptedModel([ConnectionError("cut"), says("1")])

    async def request() -> str:
        async with session.held(key="k") as held:
            assert type(held.session) is type(session)
            if not held.is_replay:
                await agents.Runner.run(agents.Agent("A", model=model), "one", session=session)
            return str(held.text)

    with pytest.raises(ConnectionError):
        await request()
    assert [await request(), await request()] == ["", "1"]
    assert [item["role"] for item in await session.get_items()] == ["user", "assistant"]


async def test_limits_of_a_compaction_session_leave_the_question_out() -> None:
    inner = StoredSession("s", MemoryStore(), session_settings={"limit": 2})
    session = _compacted(inner)
    await inner.add_items([user("one"), answer("1"), user("left")])
    async with session.held():
        assert await session.get_items(2) == await session.get_items() == [user("one"), answer("1")]
        assert await session.get_items(-1) == [user("one"), answer("1")]


@pytest.mark.parametrize(
    "kind", [EncryptedSession, agents.extensions.memory.EncryptedSession], ids=["ours", "sdk"]
)
async def test_encryption_around_a_held_session_is_refused(kind: Callable[..., Any]) -> None:
    agents.set_tracing_disabled(disabled=True)
    inner, model = StoredSession("s", MemoryStore()), ScriptedModel([says("1")])
    agent = agents.Agent("A", model=model)
    async with inner.held(key="k") as held:
        around = kind("s", held.session, KEY)
        with pytest.raises(NotSupported, match=r"EncryptSession\(session, key\)"):
            await agents.Runner.run(agent, "one", session=around)
    assert await inner.get_items() == []
    await kind("s", inner, KEY).add_items([user("one")])  # outside of a block


def test_sessions_that_can_not_be_held() -> None:
    stored = StoredSession("s", MemoryStore())
    with pytest.raises(NotSupported, match="EncryptSession"):
        EncryptedSession("s", stored, KEY).held()
    with pytest.raises(NotSupported, match="needs a session of Turnlog"):
        OpenAIResponsesCompactionSession("s", Stranger("s", {}), model="gpt-5-mini").held()
    with pytest.raises(NotSupported, match="stays on the branch"):
        _compacted(stored).held("branch")
