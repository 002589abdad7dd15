"""`DaprSession` as a blocking twin, with the same constructors."""

from __future__ import annotations

from turnlog.sessions import dapr
from turnlog.sync.twins import P, Twins, blocking

__all__ = ["DaprSession"]


class _Twins(Twins[P]):
    from_address = staticmethod(blocking(dapr.DaprSession.from_address))


DaprSession = _Twins(dapr.DaprSession)
