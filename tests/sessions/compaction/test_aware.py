"""The SDK's names around compaction, where its users look for them."""

from typing import Any

import agents.memory

from tests.strangers import Stranger
from turnlog import OpenAIResponsesCompactionSession, memory


def test_names_of_the_sdk() -> None:
    names = {name for name in agents.memory.__all__ if "Compaction" in name or "compaction" in name}
    assert names <= set(dir(memory))
    assert set(memory.OpenAIResponsesCompactionArgs.__annotations__) == set(
        agents.memory.OpenAIResponsesCompactionArgs.__annotations__
    )


def test_which_sessions_compact_themselves() -> None:
    inner = Stranger("user", {})
    session: Any = OpenAIResponsesCompactionSession("user", inner, model="gpt-5-mini")
    for their in (memory, agents.memory):
        assert their.is_openai_responses_compaction_aware_session(session)
        assert not their.is_openai_responses_compaction_aware_session(inner)
        assert isinstance(session, their.OpenAIResponsesCompactionAwareSession)
    assert isinstance(session, agents.memory.OpenAIResponsesCompactionSession)
