"""`RedisSession` as a blocking twin, with the same constructors."""

from __future__ import annotations

from turnlog.sessions import redis
from turnlog.sync.twins import P, Twins, blocking

__all__ = ["RedisSession"]


class _Twins(Twins[P]):
    from_url = staticmethod(blocking(redis.RedisSession.from_url))


RedisSession = _Twins(redis.RedisSession)
