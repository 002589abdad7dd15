"""Checks of what the constructor of a conversation at OpenAI is given, before any request."""

from __future__ import annotations

from turnlog.items.given import given
from turnlog.sessions.conversations.client import AsyncOpenAI, OpenAI

__all__ = ["check_id", "check_other", "the_client"]


def check_id(conversation_id: object) -> None:
    """Raise `TypeError` or `ValueError` unless it is None, or may be the id of a conversation."""
    if conversation_id is not None and not isinstance(conversation_id, str):
        kind = given(conversation_id)
        cure = "give a client as client=…, settings as session_settings=…"
        raise TypeError(f"conversation_id must be a str or None, not {kind}: {cure}")
    if conversation_id == "":
        raise ValueError("conversation_id is empty: give None to create a conversation")
    if isinstance(conversation_id, str) and conversation_id.startswith("sk-"):
        raise ValueError(
            "conversation_id is an API key, which begins with sk-: give it to the client, as in "
            "OpenAIConversationsSession(client=AsyncOpenAI(api_key=…)); ids begin with conv_"
        )


def check_other(session: object, other: object) -> None:
    """Raise `ValueError` if the items of one would be copied to where they come from.

    session: one of ours; other: any session, which may be the SDK's on the same conversation.
    """
    is_same = other is session or (_conversation_of(other) or "") == _conversation_of(session)
    if is_same:
        raise ValueError(
            "both sessions stand on the same conversation, so each item would be there twice: "
            "copy to or from another one; OpenAIConversationsSession() begins a new conversation"
        )


def _conversation_of(session: object) -> str | None:
    """The id of the conversation that it stands on; None for a session of another kind."""
    names = {kind.__name__ for kind in type(session).__mro__}
    if "OpenAIConversationsSession" not in names:
        return None
    found = getattr(session, "conversation_id", None) or getattr(session, "_session_id", None)
    return found if isinstance(found, str) else None


def the_client(client: AsyncOpenAI | None, openai_client: AsyncOpenAI | None) -> AsyncOpenAI | None:
    """The one that is given. Raises `TypeError` if both are, and for a client that blocks."""
    if client is not None and openai_client is not None:
        raise TypeError("client and openai_client are the same: give only one of them")
    taken: object = client if client is not None else openai_client
    if isinstance(taken, OpenAI):
        raise TypeError(
            "client must be an AsyncOpenAI, not an OpenAI; a program that blocks can use "
            "turnlog.sync.OpenAIConversationsSession"
        )
    if taken is not None and (isinstance(taken, str | type) or not hasattr(taken, "conversations")):
        raise TypeError(
            f"client must be an AsyncOpenAI, not {given(taken)}: make one with AsyncOpenAI()"
        )
    return client if client is not None else openai_client
