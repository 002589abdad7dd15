"""Redis and Valkey: one server, behind Sentinels, or a Cluster.

store ── scripts ──▶ client (the caller's, or shared by address and loop)
  └── keys: the names of keys; directory: the list of sessions
"""

try:
    from turnlog.stores.redis.clients import Clients, at_url
    from turnlog.stores.redis.store import PATIENCE, RedisStore
    from turnlog.stores.redis.urls import OPTIONS, read_url
except ModuleNotFoundError as error:
    if error.name != "redis":
        raise
    raise ImportError(
        "this store needs redis: pip install 'turnlog[redis]'", name="redis"
    ) from error

__all__ = ["OPTIONS", "PATIENCE", "Clients", "RedisStore", "at_url", "read_url"]
