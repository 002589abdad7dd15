"""Fixtures of the tests of the store on Redis."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.servers.redis import RedisServer


@pytest.fixture
async def client(redis: RedisServer) -> AsyncIterator[Redis]:
    """A client of the caller's own, on an empty server."""
    async with Redis.from_url(redis.url) as client:
        await client.flushdb()
        yield client
