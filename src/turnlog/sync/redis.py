"""`RedisSession` as a blocking twin, with the same constructors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnlog.conversation.settings import SettingsLike
from turnlog.sessions import redis
from turnlog.sync.loop import run
from turnlog.sync.stored import BlockingStoredSession

if TYPE_CHECKING:
    from typing import Self

    from turnlog.stores.redis import Clients
    from turnlog.stores.redis.clients import Client

__all__ = ["RedisSession"]


class RedisSession(BlockingStoredSession):
    """The blocking twin of `turnlog.RedisSession`, with the same parameters.

    redis_client: a client of `redis.asyncio`. All blocking twins use one event loop, so they can
        share it.
    """

    session: redis.RedisSession

    def __init__(
        self,
        session_id: str,
        redis_client: Client | Clients,
        *,
        key_prefix: str = "agents:session",
        ttl: int | None = None,
        patience: float = redis.PATIENCE,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
    ) -> None:
        session = redis.RedisSession(
            session_id,
            redis_client,
            key_prefix=key_prefix,
            ttl=ttl,
            patience=patience,
            session_settings=session_settings,
            settings=settings,
        )
        super().__init__(session)

    @classmethod
    def from_url(
        cls,
        session_id: str,
        url: str,
        *,
        redis_kwargs: dict[str, Any] | None = None,
        session_settings: SettingsLike = None,
        **kwargs: Any,
    ) -> Self:
        """A session on a client of its own; see `turnlog.RedisSession.from_url`."""
        session = redis.RedisSession.from_url(
            session_id, url, redis_kwargs=redis_kwargs, session_settings=session_settings, **kwargs
        )
        return cls._around(session)

    def ping(self) -> bool:
        """Whether the server answers."""
        return run(self.session.ping)
