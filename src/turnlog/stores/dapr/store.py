"""Dapr store: the contract on a state store component behind a sidecar."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from turnlog.changes import Change, Check, Committed, Key, check_changes, check_conditions
from turnlog.items.given import given
from turnlog.loops.arrival import in_order_of_arrival
from turnlog.loops.door import Door
from turnlog.loops.finishing import finished
from turnlog.records import Log, Records
from turnlog.store import Cursor, Head, Store, check
from turnlog.stores.clock import check_ttl
from turnlog.stores.dapr.adoption import Adoption
from turnlog.stores.dapr.clients import AnyClient, Connected, calls_by
from turnlog.stores.dapr.commits import Commit
from turnlog.stores.dapr.directory import Directory
from turnlog.stores.dapr.documents import Span
from turnlog.stores.dapr.listing import Listing, head_of
from turnlog.stores.dapr.root import Root
from turnlog.stores.dapr.sessionfile import Found, SessionFile
from turnlog.stores.dapr.sidecar import (
    DAPR_CONSISTENCY_EVENTUAL,
    DAPR_CONSISTENCY_STRONG,
    PATIENCE,
    ConsistencyLevel,
    Sidecar,
    outage,
)
from turnlog.stores.options import check_patience
from turnlog.stores.outages import outages_named

__all__ = ["DaprStore"]

#: Seconds; components count in 32 bits, and sealed documents are kept for twice the ttl.
_LONGEST = 2**30


class DaprStore(Store):
    """Logs in a state store component of Dapr, through its sidecar.

    The component must have single documents with etags and first-write concurrency, but
    neither transactions nor queries.

    state_store_name: the name of the component.
    dapr_client: a `DaprClient` of `dapr.clients` or `dapr.aio.clients`, which stays yours;
        hand in one of the latter on the event loop where it was made. Or
        `at_address("localhost:50001")`, for clients that all stores of one event loop share.
    ttl: seconds that a session is kept after its last write; None: for ever.
    consistency: the consistency that the component is asked for, "eventual" or "strong".
    patience: for how many seconds calls are retried while the sidecar can't be reached.

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
        patience: float = PATIENCE,
    ) -> None:
        _check_name(state_store_name)
        _check_options(ttl, consistency)
        check_patience(patience)
        self._sidecar = Sidecar(calls_by(dapr_client), state_store_name, consistency, ttl, patience)
        self._directory = Directory(self._sidecar)
        self._door = Door(type(self).__name__)

    def __repr__(self) -> str:
        name, where = self._sidecar.store_name, self._sidecar.calls.address
        return f"{type(self).__name__}({name!r}, {where!r})"

    @property
    def identity(self) -> Hashable:
        """The sidecar and the component: equal for two stores on the same documents."""
        return "dapr", self._sidecar.calls.identity, self._sidecar.store_name

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        with self._door, self._outages_named():
            return await finished(self._commit(session, changes, key))

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        oldest: bool = False,
    ) -> Records:
        check(*log, limit=limit)
        with self._door, self._outages_named():
            file = self._file(log.session)
            found = await self._settled(file)
            rows = await file.read(found, log.name, Span(after, before), limit, oldest=oldest)
        times = [moment / 1e6 for moment in rows.times]
        return Records(rows.positions, rows.payloads, times)

    async def logs(self, session: str) -> list[Head]:
        check(session)
        with self._door, self._outages_named():
            file = self._file(session)
            heads = await file.heads(await self._settled(file))
        return [head_of(Log(session, name), heads[name]) for name in sorted(heads)]

    async def sessions(
        self,
        *,
        prefix: str = "",
        after: Cursor | None = None,
        limit: int = 50,
        oldest: bool = False,
    ) -> list[Head]:
        check(prefix, limit=limit)
        with self._door, self._outages_named():
            listing = Listing(self._directory, self._file)
            return await listing.page(prefix, after, limit, oldest=oldest)

    async def delete(self, session: str, *, expect: int | None = None) -> None:
        check(session)
        with self._door, self._outages_named():
            await finished(self._delete(session, expect))

    async def ping(self) -> None:
        """Read a document, and raise the error if the component doesn't answer."""
        with self._door, self._outages_named():
            await self._sidecar.ask("turnlog:ping")

    def _outages_named(self) -> AbstractContextManager[None]:
        return outages_named("Dapr", lambda: self._sidecar.calls.address, outage)

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
        self._sidecar.calls.release()

    async def _commit(self, session: str, changes: Sequence[Change], key: Key | None) -> Committed:
        # One after the other, so that the tasks of one loop rarely conflict.
        async with in_order_of_arrival((self, session)):
            file = self._file(session)
            commit = Commit(session, changes, key, file.paths)
            adoption = Adoption(file)

            async def find() -> Found:
                while adoption.is_due(found := await file.current(*commit.documents)):
                    await adoption.require()
                return found

            return await file.write(commit.make, find)

    async def _delete(self, session: str, expect: int | None) -> None:
        file = self._file(session)
        async with in_order_of_arrival((self, session)):
            if expect is None:
                await file.current()
            else:
                await self._settled(file)
            await file.delete(partial(_check_end, session, expect))
            await Adoption(file).discard()

    async def _settled(self, file: SessionFile) -> Found:
        """The session as found, after adoption of what the SDK stored of it."""
        found = await file.current()
        adoption = Adoption(file)
        if adoption.is_due(found):
            await finished(adoption.settle())
            found = await file.current()
        return found

    def _file(self, session: str) -> SessionFile:
        return SessionFile(self._sidecar, session, self._directory)


def _check_end(session: str, expect: int | None, root: Root) -> None:
    if expect is not None:
        ends = {name: head.last for name, head in root.logs.items()}
        check_conditions(session, [Check("main", expect)], ends, {})


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(
            f"state_store_name must be a str, the name of a component, not {given(name)}: the "
            f"client comes behind it"
        )
    if not name:
        raise ValueError("state_store_name is empty: give the name of a state store component")


def _check_options(ttl: int | None, consistency: str) -> None:
    check_ttl(ttl, _LONGEST)
    if consistency not in {DAPR_CONSISTENCY_EVENTUAL, DAPR_CONSISTENCY_STRONG}:
        raise ValueError(f'consistency is {consistency!r}; it must be "eventual" or "strong"')
