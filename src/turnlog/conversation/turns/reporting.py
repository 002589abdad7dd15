"""Reports of waiting runs: for whose lease a run waits, in its log and in its errors.

A run that waits says so once, after a second. If its wait is cancelled, as by `asyncio.timeout`,
the error has a note that says the same; at the end of its own bound it is the error's text.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from math import isinf
from typing import NamedTuple

from turnlog.conversation.turns.claims import Claim, Ticket
from turnlog.errors import SessionWaitTimeout
from turnlog.loops.processes import described_process, is_alive, own_process
from turnlog.records import Log

__all__ = ["Wait"]

# The seconds for which a run waits without a word.
_SILENT = 1.0

_logger = logging.getLogger(__name__)


class _Look(NamedTuple):
    """One look of a run: the claim on the lease, and the ticket that has waited longest."""

    claim: Claim | None
    first: Ticket | None


class Wait:
    """The wait of one run for the lease on `log`.

    identity: of the store.
    seconds: how long it waits before `SessionWaitTimeout`; None for no bound.
    """

    def __init__(self, identity: Hashable, log: Log, seconds: float | None) -> None:
        self._log = log
        self._key: Hashable = (identity, log)
        self._seconds = seconds
        self._began: float | None = None
        self._own_look: _Look | None = None
        self._has_told = False

    def saw(self, claim: Claim | None, first: Ticket | None) -> None:
        """Take in a look at the lease and at the run that has waited longest."""
        self._own_look = _looks[self._key] = _Look(claim, first)

    @asynccontextmanager
    async def bounded(self) -> AsyncIterator[None]:
        """Within, the run waits. All such blocks of a run have one bound together."""
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = loop.time()
        end = None if self._seconds is None else self._began + self._seconds
        timer = loop.call_at(self._began + _SILENT, self._tell)
        bound = asyncio.timeout_at(end)
        try:
            async with bound:
                yield
        except TimeoutError:
            if not bound.expired():
                raise
            raise SessionWaitTimeout(self._log, str(self)) from None
        except asyncio.CancelledError as error:
            error.add_note(f"session {self._log.session!r}, branch {self._log.name!r}: {self}")
            raise
        finally:
            timer.cancel()
            if _looks.get(self._key) is self._own_look:
                _looks.pop(self._key, None)

    def __str__(self) -> str:
        began = asyncio.get_running_loop().time() if self._began is None else self._began
        waited = asyncio.get_running_loop().time() - began
        return f"waited {waited:.1f} s {self._reason()}"

    def _tell(self) -> None:
        if self._has_told:
            return
        self._has_told = True
        claim = self._look.claim
        # A run that is known to live is nothing to worry about; another one may have died.
        is_doubtful = claim is not None and not is_alive(claim.process)
        level = logging.WARNING if is_doubtful else logging.INFO
        age = (
            f"; it was renewed {_age(claim):.1f} s ago" if claim and not isinf(claim.until) else ""
        )
        what = "session %r, branch %r: this run has %s%s"
        _logger.log(level, what, *self._log, str(self), age)

    @property
    def _look(self) -> _Look:
        """The newest look; of the run of this process that is first, if this one stands behind."""
        return self._own_look or _looks.get(self._key) or _Look(None, None)

    def _reason(self) -> str:
        claim, first = self._look
        if claim is not None:
            return f"for {_run_of(claim.process)}, {_lease_of(claim)}"
        if first is not None:
            return f"behind {_run_of(first.process)}, which has waited longer"
        return "behind other runs of this process"


def _run_of(process: str | None) -> str:
    own = own_process()
    if own is not None and process == own:
        return "another run of this process"
    return f"the run of {described_process(process)}"


def _lease_of(claim: Claim) -> str:
    if isinf(claim.until):
        return "whose lease can't be read"
    verb = "lasts" if claim.until > time.time() else "lasted"
    return f"whose lease {verb} until {time.strftime('%H:%M:%S', time.gmtime(claim.until))} UTC"


def _age(claim: Claim) -> float:
    """The seconds since the claim was made or renewed, by the wall clocks."""
    return max(0.0, time.time() - (claim.until - claim.seconds))


#: The newest look of a run of this process, by what the lease guards.
_looks: dict[Hashable, _Look] = {}
