"""`DaprSession` as a blocking twin, with the same constructors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnlog.conversation.settings import SettingsLike
from turnlog.sessions import dapr
from turnlog.sync.loop import run
from turnlog.sync.stored import BlockingStoredSession

if TYPE_CHECKING:
    from typing import Self

    from turnlog.stores.dapr import ConsistencyLevel
    from turnlog.stores.dapr.clients import AnyClient, Connected

__all__ = ["DaprSession"]


class DaprSession(BlockingStoredSession):
    """The blocking twin of `turnlog.DaprSession`, with the same parameters."""

    session: dapr.DaprSession

    def __init__(
        self,
        session_id: str,
        state_store_name: str,
        dapr_client: AnyClient | Connected,
        *,
        ttl: int | None = None,
        consistency: ConsistencyLevel = dapr.DAPR_CONSISTENCY_EVENTUAL,
        patience: float = dapr.PATIENCE,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
    ) -> None:
        session = dapr.DaprSession(
            session_id,
            state_store_name,
            dapr_client,
            ttl=ttl,
            consistency=consistency,
            patience=patience,
            session_settings=session_settings,
            settings=settings,
        )
        super().__init__(session)

    @classmethod
    def from_address(
        cls,
        session_id: str,
        *,
        state_store_name: str,
        dapr_address: str = "localhost:50001",
        ttl: int | None = None,
        consistency: ConsistencyLevel = dapr.DAPR_CONSISTENCY_EVENTUAL,
        patience: float = dapr.PATIENCE,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
    ) -> Self:
        """A session on a client of its own; see `turnlog.DaprSession.from_address`."""
        session = dapr.DaprSession.from_address(
            session_id,
            state_store_name=state_store_name,
            dapr_address=dapr_address,
            ttl=ttl,
            consistency=consistency,
            patience=patience,
            session_settings=session_settings,
            settings=settings,
        )
        return cls._around(session)

    def ping(self) -> bool:
        """Whether the sidecar answers."""
        return run(self.session.ping)
