"""The contract on a state store component behind a Dapr sidecar."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import TypeVar

from turnlog.loops.door import Door
from turnlog.loops.finishing import finished
from turnlog.records import Log, Records
from turnlog.store import Cursor, Head, Store, check
from turnlog.stores.dapr import changes
from turnlog.stores.dapr.adoption import Adoption
from turnlog.stores.dapr.clients import AnyClient, Connected, calls_by
from turnlog.stores.dapr.documents import HeadDocument, Window
from turnlog.stores.dapr.ground import LogGround
from turnlog.stores.dapr.keys import digest, place_of, session_key
from turnlog.stores.dapr.logfile import Change, Found, LogFile
from turnlog.stores.dapr.renewal import Renewal
from turnlog.stores.dapr.roster import Roster
from turnlog.stores.dapr.sidecar import (
    DAPR_CONSISTENCY_EVENTUAL,
    DAPR_CONSISTENCY_STRONG,
    ConsistencyLevel,
    Sidecar,
)
from turnlog.stores.dapr.turns import Turns

__all__ = ["DaprStore"]

T = TypeVar("T")

#: Seconds; twice as many still fit into what components count with.
_LONGEST = 2**30


class DaprStore(Store):
    """Logs in a state store component of Dapr, by way of its sidecar.

    Of the component it needs single documents with etags and first-write concurrency;
    neither transactions nor queries. `sessions` reads the head of every session.

    state_store_name: the name of the component.
    dapr_client: a `DaprClient` of `dapr.clients` or `dapr.aio.clients`, which stays the
        caller's; one of the latter has to be made on the event loop where it is handed in. Or
        `at_address("localhost:50001")`, for clients that all stores of one event loop share.
    ttl: seconds that a session is kept after it was last written; None: for ever.
    consistency: "eventual" or "strong", which the component is asked for.
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
        self._renewal = Renewal(self._sidecar, self._roster)
        self._turns = Turns()
        self._door = Door(type(self).__name__)

    @property
    def place(self) -> Hashable:
        """The sidecar and the component."""
        return "dapr", self._sidecar.calls.place, self._sidecar.store_name

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
        keys = [] if key is None else [place_of(log).written(digest(key))]
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
            rows = await file.read(await self._settled(log, file), Window(after, before), limit)
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
        return await self._write(log, partial(changes.remove, log, Window(after, before), expect))

    async def annotate(self, log: Log, note: bytes) -> None:
        check(*log, payloads=[note])
        await self._write(log, partial(changes.annotate, note))

    async def logs(self, session: str) -> list[Head]:
        check(session)
        with self._door:
            main = Log(session)
            await self._settled(main, self._file(main))
            _, known = await self._roster.load(session)
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
        """Ask the component for anything, and raise what keeps it from answering."""
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
        """Let go of the sidecar without waiting."""
        self._door.is_closed = True
        self._sidecar.calls.let_go()

    async def _write(self, log: Log, change: Change[T], *keys: str) -> T:
        with self._door:
            return await finished(self._written(log, change, *keys))

    async def _written(self, log: Log, change: Change[T], *keys: str) -> T:
        async with self._turns.of(log):
            file = self._file(log)
            ground = LogGround(log, self._roster, self._adoption(log, file))
            answer = await file.write(change, *keys, ground=ground)
            if ground.session is not None and self._renewal.is_due(ground.session):
                names = ground.session.logs
                await self._renewal.renew([Log(log.session, name) for name in names])
            return answer

    async def _delete_session(self, session: str) -> None:
        main = Log(session)
        await self._adoption(main, self._file(main)).discard()
        known = await self._roster.forget(session)
        for name in () if known is None else known.logs:
            await self._file(Log(session, name)).write(changes.clear)

    async def _delete_log(self, log: Log) -> None:
        file = self._file(log)
        await self._adoption(log, file).discard()
        await file.write(changes.bury)

    async def _settled(self, log: Log, file: LogFile) -> Found:
        """The log as found, once what the SDK stored of it is adopted."""
        found = await file.find()
        adoption = self._adoption(log, file)
        if adoption.is_due(found):
            await finished(adoption.settle())
            found = await file.find()
        return found

    async def _heads(self, logs: Sequence[Log]) -> list[Head]:
        """The heads of those of `logs` that exist, all found at once."""
        keys = {key for log in logs for key in (session_key(log.session), place_of(log).head)}
        found = await self._sidecar.find(*keys)
        heads = ((log, self._file(log).seen(found).head) for log in logs)
        return [_head(log, head) for log, head in heads if head is not None]

    def _file(self, log: Log) -> LogFile:
        return LogFile(self._sidecar, log, place_of(log), session_key(log.session))

    def _adoption(self, log: Log, file: LogFile) -> Adoption:
        return Adoption(self._sidecar, log, file, self._roster)


def _check_options(ttl: int | None, consistency: str) -> None:
    if ttl is not None and (type(ttl) is not int or not 0 < ttl <= _LONGEST):
        raise ValueError(f"ttl is a number of whole seconds between 1 and {_LONGEST}")
    if consistency not in {DAPR_CONSISTENCY_EVENTUAL, DAPR_CONSISTENCY_STRONG}:
        raise ValueError('consistency is "eventual" or "strong"')


def _head(log: Log, head: HeadDocument) -> Head:
    times = head.created / 1e6, head.updated / 1e6
    return Head(log, head.last, head.length, *times, head.note)
