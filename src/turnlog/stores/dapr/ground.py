"""What has to be there before a log is written."""

from __future__ import annotations

from turnlog.records import Log
from turnlog.stores.dapr.adoption import Adoption
from turnlog.stores.dapr.documents import SessionDocument
from turnlog.stores.dapr.logfile import Found
from turnlog.stores.dapr.roster import Roster

__all__ = ["LogGround"]


class LogGround:
    """For one write: the SDK's array is adopted, the log is among those of its session."""

    def __init__(self, log: Log, roster: Roster, adoption: Adoption) -> None:
        #: What the last try to write found of the session.
        self.session: SessionDocument | None = None
        self._log = log
        self._roster = roster
        self._adoption = adoption
        self._settled = False

    async def is_clear(self, found: Found) -> bool:
        if self._settled or not self._adoption.is_due(found):
            return True
        if not await self._adoption.settle():
            raise ValueError(
                f"the array that is stored for session {self._log.session!r} can't be read; "
                "it was left as it is, and nothing was written"
            )
        self._settled = True
        return False

    async def is_laid(self, found: Found) -> bool:
        self.session = found.session
        if found.session is not None and self._log.name in found.session.logs:
            return True
        await self._roster.enroll(self._log)
        return False
