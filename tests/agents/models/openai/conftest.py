"""Fixtures for tests of OpenAI's models."""

from tests.agents.models.openai.samples import chat, client, responses, server

__all__ = ["chat", "client", "responses", "server"]
