"""`SQLAlchemySession` as a blocking twin, with the same constructors."""

from __future__ import annotations

from turnlog.sessions import sqlalchemy
from turnlog.sync.twins import P, Twins, blocking

__all__ = ["SQLAlchemySession"]


class _Twins(Twins[P]):
    from_url = staticmethod(blocking(sqlalchemy.SQLAlchemySession.from_url))


SQLAlchemySession = _Twins(sqlalchemy.SQLAlchemySession)
