"""Dapr store: the contract on a state store component behind a sidecar."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from functools import partial
from typing import TypeVar

from dapr.clients.exceptions import DaprGrpcError

from turnlog.loops.arrival import in_order_of_arrival
from turnlog.loops.door import Door
from turnlog.loops.finishing import finished
from turnlog.records import Log, Records
from turnlog.store import Cursor, Head, Store, check
from turnlog.stores.clock import check_ttl
from turnlog.stores.dapr import changes
from turnlog.stores.dapr.adoption import Adoption
from turnlog.stores.dapr.clients import AnyClient, Connected, calls_by
from turnlog.stores.dapr.documents import HeadDocument, SessionDocument, Span
from turnlog.stores.dapr.keys import digest, paths_of, session_key
from turnlog.stores.dapr.logfile import Change, Found, LogFile, Made, PreparedChange
from turnlog.stores.dapr.roster import Roster
from turnlog.stores.dapr.sidecar import (
    DAPR_CONSISTENCY_EVENTUAL,
    DAPR_CONSISTENCY_STRONG,
    ConsistencyLevel,
    Sidecar,
    status,
)
from turnlog.stores.dapr.tree import Rewrite

__all__ = ["DaprStore"]

_logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds; components count in 32 bits, and sealed documents are kept for twice the ttl.
_LONGEST = 2**30


class DaprStore(Store):
    """Logs in a state store component of Dapr, through its sidecar.

    The component must have single documents with etags and first-write concurrency, but
    neither transactions nor queries. `sessions` reads the head of every session.

    state_store_name: the name of the component.
    dapr_client: a `DaprClient` of `dapr.clients` or `dapr.aio.clients`, which stays yours;
        hand in one of the latter on the event loop where it was made. Or
        `at_address("localhost:50001")`, for clients that all stores of one event loop share.
    ttl: seconds that a session is kept after its last write; None: for ever.
    consistency: the consistency that the component is asked for, "eventual" or "strong".

    Raises `ValueError` for a `ttl` or `consistency` that is not one of these, and `TypeError`
    for a `ttl` that is not a whole number.
    """

    def __init__(
        self,
        state_store_name: str,
        dapr_client: AnyClient | Connected,
        *,
        ttl: int | None = None,
        consistency: ConsistencyLevel = DAPR_CONSISTENCY_EVENTUAL,
    ) -> None:
        _check_options(ttl, consistency)
        self._sidecar = Sidecar(calls_by(dapr_client), state_store_name, consistency, ttl)
        self._roster = Roster(self._sidecar)
        self._door = Door(type(self).__name__)

    @property
    def identity(self) -> Hashable:
        """The sidecar and the component: equal for two stores on the same documents."""
        return "dapr", self._sidecar.calls.identity, self._sidecar.store_name

    async def append(
        self,
        log: Log,
        payloads: Sequence[bytes],
        *,
        expect: int | None = None,
        key: str | None = None,
    ) -> int:
        check(*log, key or "", payloads=payloads)
        change = partial(changes.append, log, tuple(payloads), expect, key)
        keys = [] if key is None else [paths_of(log).written(digest(key))]
        return await self._write(log, change, *keys)

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
    ) -> Records:
        check(*log, limit=limit)
        with self._door:
            file = self._file(log)
            rows = await file.read(await self._settled(file), Span(after, before), limit)
        times = [moment / 1e6 for moment in rows.times]
        return Records(rows.positions, rows.payloads, times)

    async def remove(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        expect: int | None = None,
    ) -> int:
        check(*log)
        return await self._write(log, partial(changes.remove, log, Span(after, before), expect))

    async def annotate(self, log: Log, note: bytes) -> None:
        check(*log, payloads=[note])
        await self._write(log, partial(changes.annotate, note))

    async def logs(self, session: str) -> list[Head]:
        check(session)
        with self._door:
            await self._settled(self._file(Log(session)))
            known = await self._roster.load(session)
            names = () if known is None else known.logs
            return await self._heads([Log(session, name) for name in sorted(names)])

    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        check(prefix, limit=limit)
        with self._door:
            ids = await self._roster.listed()
            heads = await self._heads([Log(each) for each in ids if each.startswith(prefix)])
        heads.sort(key=lambda head: head.cursor, reverse=True)
        return [head for head in heads if after is None or head.cursor < after][:limit]

    async def delete(self, session: str, name: str | None = None) -> None:
        check(session, name or "")
        with self._door:
            if name is None:
                await finished(self._delete_session(session))
            else:
                await finished(self._delete_log(Log(session, name)))

    async def ping(self) -> None:
        """Read a document, and raise the error if the component doesn't answer."""
        with self._door:
            await self._sidecar.ask("turnlog:ping")

    async def aclose(self) -> None:
        await self._door.close()
        await self._sidecar.calls.aclose()

    @property
    def is_given(self) -> bool:
        """Whether the client belongs to the caller."""
        return self._sidecar.calls.is_given

    def close(self) -> None:
        """Release the client without waiting."""
        self._door.is_closed = True
        self._sidecar.calls.let_go()

    async def _write(self, log: Log, change: Change[T], *keys: str) -> T:
        with self._door:
            return await finished(self._written(log, change, *keys))

    async def _written(self, log: Log, change: Change[T], *keys: str) -> T:
        # In line, so that the tasks of one loop rarely collide.
        async with in_order_of_arrival((self, log)):
            file = self._file(log)
            answer, session = await file.write(self._prepared(file, change), *keys)
            if session is not None and self._roster.needs_renewal(session):
                await self._renew(log.session, session)
            return answer

    def _prepared(
        self, file: LogFile, change: Change[T]
    ) -> PreparedChange[tuple[T, SessionDocument | None]]:
        """`change`, after the log is adopted and, if anything is to be written, enrolled.

        Answers with the session's document, too, if something is written.
        """
        adoption = self._adoption(file)

        async def prepared(
            found: Found, rewrite: Rewrite
        ) -> Made[tuple[T, SessionDocument | None]] | None:
            if adoption.is_due(found):
                await adoption.require()
                return None
            answer, head = await change(found, rewrite)
            if head is None:
                return (answer, None), None
            if found.session is None or file.log.name not in found.session.logs:
                await self._roster.enroll(file.log)
                return None
            return (answer, found.session), head

        return prepared

    async def _renew(self, session: str, known: SessionDocument) -> None:
        """Write all documents of a session again. If that fails, the next write does it."""
        try:
            for name in known.logs:
                await self._file(Log(session, name)).renew()
            await self._roster.renewed(session)
        except DaprGrpcError as error:
            _logger.warning("session %r was not renewed: %s", session, status(error))

    async def _delete_session(self, session: str) -> None:
        main = Log(session)
        await self._adoption(self._file(main)).discard()
        known = await self._roster.forget(session)
        for name in () if known is None else known.logs:
            await self._file(Log(session, name)).write(changes.clear)

    async def _delete_log(self, log: Log) -> None:
        file = self._file(log)
        await self._adoption(file).discard()
        await file.write(changes.bury)

    async def _settled(self, file: LogFile) -> Found:
        """The log as found, after adoption of what the SDK stored of it."""
        found = await file.find()
        adoption = self._adoption(file)
        if adoption.is_due(found):
            await finished(adoption.settle())
            found = await file.find()
        return found

    async def _heads(self, logs: Sequence[Log]) -> list[Head]:
        """The heads of those of `logs` that exist, read in one request."""
        keys = {key for log in logs for key in (session_key(log.session), paths_of(log).head)}
        found = await self._sidecar.find(*keys)
        heads = ((log, self._file(log).seen(found).head) for log in logs)
        return [_head(log, head) for log, head in heads if head is not None]

    def _file(self, log: Log) -> LogFile:
        return LogFile(self._sidecar, log, paths_of(log), session_key(log.session))

    def _adoption(self, file: LogFile) -> Adoption:
        return Adoption(self._sidecar, file, self._roster)


def _check_options(ttl: int | None, consistency: str) -> None:
    check_ttl(ttl, _LONGEST)
    if consistency not in {DAPR_CONSISTENCY_EVENTUAL, DAPR_CONSISTENCY_STRONG}:
        raise ValueError(f'consistency is {consistency!r}; it must be "eventual" or "strong"')


def _head(log: Log, head: HeadDocument) -> Head:
    times = head.created / 1e6, head.updated / 1e6
    return Head(log, head.last, head.length, *times, head.note)
