"""Dapr sessions: conversations behind a Dapr sidecar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnlog.conversation.settings import SettingsLike
from turnlog.items.given import check_session_id
from turnlog.sessions.closing import NetworkSession
from turnlog.stores.dapr import (
    DAPR_CONSISTENCY_EVENTUAL,
    DAPR_CONSISTENCY_STRONG,
    PATIENCE,
    ConsistencyLevel,
    DaprStore,
    at_address,
)

if TYPE_CHECKING:
    from typing import Self

    from turnlog.stores.dapr.clients import AnyClient, Connected

__all__ = ["DAPR_CONSISTENCY_EVENTUAL", "DAPR_CONSISTENCY_STRONG", "PATIENCE", "DaprSession"]


class DaprSession(NetworkSession):
    """One conversation in a state store component of Dapr.

    Making one costs microseconds and asks nothing; make one per request if you like.

    session_id: any string; every id is a conversation of its own. Items that the OpenAI Agents
        SDK stored under it are adopted when the session is first used.
    state_store_name: the name of the component.
    dapr_client: a `DaprClient` of `dapr.clients` or `dapr.aio.clients`. It stays yours.
    ttl: the session expires this many seconds after its last write; None keeps it.
    consistency: "eventual" or "strong"; the component is asked for it.
    patience: for how many seconds calls are retried while the sidecar can't be reached.
    session_settings: a `SessionSettings`, a dict, or None; `settings` is the same.
    """

    def __init__(
        self,
        session_id: str,
        state_store_name: str,
        dapr_client: AnyClient | Connected,
        *,
        ttl: int | None = None,
        consistency: ConsistencyLevel = DAPR_CONSISTENCY_EVENTUAL,
        patience: float = PATIENCE,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
    ) -> None:
        check_session_id(session_id, type(self).__name__)
        self._store = DaprStore(
            state_store_name, dapr_client, ttl=ttl, consistency=consistency, patience=patience
        )
        owns = not self._store.is_given
        super().__init__(session_id, self._store, session_settings, settings, owns_client=owns)

    @classmethod
    def from_address(
        cls,
        session_id: str,
        *,
        state_store_name: str,
        dapr_address: str = "localhost:50001",
        ttl: int | None = None,
        consistency: ConsistencyLevel = DAPR_CONSISTENCY_EVENTUAL,
        patience: float = PATIENCE,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
    ) -> Self:
        """A session on a client of its own. Sessions with the same address share it.

        dapr_address: where the sidecar listens for gRPC.

        Before its first call the client waits until the sidecar is healthy, which it asks
        over HTTP at the port that DAPR_HTTP_PORT names, by default 3500.
        """
        if str(dapr_address).startswith("dapr://"):
            raise ValueError(
                "dapr_address is host:port, such as localhost:50001; for a URL write "
                "StoredSession(session_id, open_store(url))"
            )
        return cls(
            session_id,
            state_store_name,
            at_address(dapr_address),
            ttl=ttl,
            consistency=consistency,
            patience=patience,
            session_settings=session_settings,
            settings=settings,
        )
