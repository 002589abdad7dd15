"""Windows: `read` returns the newest or the oldest records with after < position < before."""

from __future__ import annotations

from itertools import product

import pytest

from turnlog.records import Log, Record, Records
from turnlog.store import Store

__all__ = ["BEYOND", "Windows"]

#: Positions past every end, also past what 64 bits hold.
BEYOND = (2**62, 2**63 - 1, 2**63, 10**30)


async def _with_gaps(store: Store, log: Log) -> list[Record]:
    """Append nine records and remove three between them; returns the six that stay."""
    await store.append(log, [str(n).encode() for n in range(9)])
    first, _, third, *_, eighth, _ = await store.read(log)
    for gone in (first, third, eighth):
        await store.remove(log, after=gone.position - 1, before=gone.position + 1)
    return list(await store.read(log))


def _inside(
    records: list[Record], after: int, before: int | None, limit: int | None, *, oldest: bool
) -> list[Record]:
    found = [
        record
        for record in records
        if record.position > after and (before is None or record.position < before)
    ]
    if limit is None:
        return found
    return found[:limit] if oldest else found[max(0, len(found) - limit) :]


class Windows:
    """`read` accepts any window; a log that does not exist is empty."""

    async def test_any_window_is_shown(self, store: Store, log: Log) -> None:
        records = await _with_gaps(store, log)
        assert len(records) == 6
        places = [0, *(record.position + d for record in records for d in (0, 1))]
        for after, before in product(places, [None, *places]):
            for limit, oldest in product((None, 0, 1, 4, 100), (False, True)):
                shown = await store.read(
                    log, after=after, before=before, limit=limit, oldest=oldest
                )
                expected = _inside(records, after, before, limit, oldest=oldest)
                assert shown == expected, (after, before, limit, oldest)

    @pytest.mark.parametrize("beyond", BEYOND)
    async def test_reading_beyond_the_end(self, store: Store, log: Log, beyond: int) -> None:
        records = await _with_gaps(store, log)
        assert await store.read(log, after=beyond) == []
        assert await store.read(log, before=beyond) == records
        assert await store.read(log, limit=beyond) == records
        assert await store.read(log, limit=beyond, oldest=True) == records
        assert await store.read(log, before=beyond, limit=2, oldest=True) == records[:2]
        assert await store.read(log, after=-beyond) == records
        assert await store.read(log, before=-beyond) == []

    async def test_reading_back_page_by_page(self, store: Store, log: Log) -> None:
        records = await _with_gaps(store, log)
        shown = list(await store.read(log, limit=2))
        for _ in range(2):
            shown[:0] = await store.read(log, before=shown[0].position, limit=2)
        assert shown == records
        assert await store.read(log, before=shown[0].position, limit=2) == []

    async def test_reading_forward_page_by_page(self, store: Store, log: Log) -> None:
        records = await _with_gaps(store, log)
        shown: list[Record] = []
        while page := await store.read(
            log, after=shown[-1].position if shown else 0, limit=2, oldest=True
        ):
            assert len(page) == 2
            shown += page
        assert shown == records

    async def test_records_are_columns_too(self, store: Store, log: Log) -> None:
        assert isinstance(await store.read(log), Records)
        shown = await _with_gaps(store, log)
        found = await store.read(log)
        assert isinstance(found, Records)
        assert list(found.positions) == [record.position for record in shown]
        assert list(found.payloads) == [record.payload for record in shown]
        assert list(found.times) == [record.created_at for record in shown]

    async def test_a_negative_limit_is_refused(self, store: Store, log: Log) -> None:
        await store.append(log, [b"1"])
        for limit in (-1, -(10**30)):
            for oldest in (False, True):
                with pytest.raises(ValueError, match="limit"):
                    await store.read(log, limit=limit, oldest=oldest)

    async def test_a_log_that_does_not_exist_is_empty(self, store: Store, log: Log) -> None:
        assert await store.read(log) == []
        assert await store.read(log, after=3, before=9, limit=2) == []
        assert await store.logs(log.session) == []
        assert await store.sessions() == []
