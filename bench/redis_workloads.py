"""Redis workloads: Turnlog, the SDK and a bare client, on one server."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

from agents.extensions.memory import RedisSession as TheirSession
from redis.asyncio import Redis

from bench.harness import Contender, Workload
from turnlog.items.json import Item
from turnlog.sessions.redis import RedisSession

__all__ = ["workloads"]

FOUR: list[Item] = [
    {"role": "user" if n % 2 else "assistant", "content": f"message {n} " * 12} for n in range(4)
]
_TEXTS = [str(item) for item in FOUR]
_fresh = count(1)

#: Makes the session of an id.
Make = Callable[[str], Any]


def workloads(url: str) -> list[Workload]:
    """The workloads on the server at `url`."""
    work = [
        ("redis: add 4", _add, _bare_add, "3 x, 50 %"),
        ("redis: newest 50 of 2,000", _newest, _bare_newest, "1.2 x, 50 %"),
        ("redis: all of 2,000", _all, _bare_all, "1.5 x, 50 %"),
    ]
    compared = [
        Workload(name, _on(run, url, RedisSession), _on(run, url, _their), _bare(bare, url), goal)
        for name, run, bare, goal in work
    ]
    by_url = Workload(
        "redis: from URL, read 50, add 4, close",
        partial(_by_url, lambda name: RedisSession.from_url(name, url)),
        partial(_by_url, lambda name: TheirSession.from_url(name, url=url)),
        None,
        "8 x",
    )
    return [*compared, by_url]


def _their(session_id: str, client: Redis) -> Any:
    return TheirSession(session_id, redis_client=client)


def _on(
    run: Callable[[Make], Awaitable[float]], url: str, make: Callable[[str, Redis], Any]
) -> Contender:
    async def contender(_folder: Path) -> float:
        async with Redis.from_url(url) as client:
            # Nobody meets what another round has left.
            return await run(lambda name: make(f"{next(_fresh)}-{name}", client))

    return contender


async def _add(make: Make) -> float:
    session = make("a")
    await session.add_items(FOUR)
    return await _timed(lambda: session.add_items(FOUR), 200)


async def _newest(make: Make) -> float:
    session = make("a")
    await session.add_items(FOUR * 500)
    return await _timed(lambda: session.get_items(limit=50), 200)


async def _all(make: Make) -> float:
    session = make("a")
    await session.add_items(FOUR * 500)
    return await _timed(session.get_items, 20)


async def _by_url(make: Make, _folder: Path) -> float:
    name = f"{next(_fresh)}-url"
    await make(name).add_items(FOUR * 50)

    async def request() -> None:
        session = make(name)
        await session.get_items(limit=50)
        await session.add_items(FOUR)
        await session.close()

    return await _timed(request, 60)


async def _timed(work: Callable[[], Awaitable[object]], times: int) -> float:
    start = perf_counter()
    for _ in range(times):
        await work()
    return (perf_counter() - start) / times


# The bare client: a list, JSON neither written nor read


def _bare(run: Callable[[Redis, str], Awaitable[float]], url: str) -> Contender:
    async def contender(_folder: Path) -> float:
        async with Redis.from_url(url) as client:
            return await run(client, f"bare-{next(_fresh)}")

    return contender


async def _bare_add(client: Redis, key: str) -> float:
    async def add() -> None:
        async with client.pipeline(transaction=True) as pipe:
            pipe.rpush(key, *_TEXTS)
            pipe.hset(f"{key}:head", "updated_at", "1")
            await pipe.execute()

    return await _timed(add, 200)


async def _bare_newest(client: Redis, key: str) -> float:
    await asyncio.ensure_future(client.rpush(key, *_TEXTS * 500))
    return await _timed(lambda: client.lrange(key, -50, -1), 200)


async def _bare_all(client: Redis, key: str) -> float:
    await asyncio.ensure_future(client.rpush(key, *_TEXTS * 500))
    return await _timed(lambda: client.lrange(key, 0, -1), 20)
