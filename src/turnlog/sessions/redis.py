"""Redis sessions: conversations in Redis or Valkey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnlog.conversation.settings import SettingsLike
from turnlog.items.given import check_session_id
from turnlog.sessions.closing import NetworkSession
from turnlog.stores.redis import PATIENCE, Clients, RedisStore, at_url, read_url

if TYPE_CHECKING:
    from typing import Self

    from turnlog.stores.redis.clients import Client

__all__ = ["PATIENCE", "RedisSession"]


class RedisSession(NetworkSession):
    """One conversation in Redis or Valkey.

    Making one costs microseconds and opens nothing; make one per request if you like.

    session_id: any string; every id is a conversation of its own.
    redis_client: a `redis.asyncio.Redis` or `RedisCluster`. It stays yours: closing the
        session leaves it open.
    key_prefix: the beginning of every key. Sessions that the OpenAI Agents SDK stored
        below the same prefix are adopted when they are first used.
    ttl: the session expires this many seconds after its last write; None keeps it.
    patience: for how many seconds calls are retried while the server can't be reached.
    session_settings: a `SessionSettings`, a dict, or None; `settings` is the same.

    A negative limit means no items, as in the OpenAI Agents SDK on Redis.
    """

    # As in the SDK on Redis.
    _negative_limit_means_all = False

    def __init__(
        self,
        session_id: str,
        redis_client: Client | Clients,
        *,
        key_prefix: str = "agents:session",
        ttl: int | None = None,
        patience: float = PATIENCE,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
    ) -> None:
        check_session_id(session_id, type(self).__name__)
        self._store = RedisStore(redis_client, key_prefix=key_prefix, ttl=ttl, patience=patience)
        owns = isinstance(redis_client, Clients)
        super().__init__(session_id, self._store, session_settings, settings, owns_client=owns)

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
        """A session on a client of its own. Sessions with the same URL share it.

        url: such as "redis://localhost:6379/0", "rediss://…" or "redis+cluster://…".
        redis_kwargs: go to `redis.asyncio.Redis.from_url`, or `RedisCluster.from_url`.
        kwargs: as for `RedisSession`.
        """
        defaults = [kwargs.pop(name, None) for name in ("key_prefix", "ttl", "patience")]
        prefix, ttl, patience = defaults
        address = read_url(
            url, prefix or "agents:session", ttl, PATIENCE if patience is None else patience
        )
        options = address._asdict()
        clients = at_url(options.pop("url"), redis_kwargs or {})
        lasts = options.pop("lease_seconds")
        session = cls(session_id, clients, session_settings=session_settings, **kwargs, **options)
        session.store.lease_seconds = lasts
        return session
