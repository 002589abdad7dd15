from tests.sessions.conversations.conversations import client, make, server, session

__all__ = ["client", "make", "server", "session"]
