"""The end of a lease: returned, expired by clocks that differ, or lost in an outage."""

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from tests.conversation.turns.leases import (
    LOG,
    SHORT,
    Gate,
    apart,
    blocker,
    check,
    dead,
    other,
    turn_taken,
)
from tests.virtual_time import VirtualTime
from turnlog import LeaseLost, SessionBusy, Store, StoredSession
from turnlog.changes import Change, Committed, Remove
from turnlog.conversation.turns import giving_back
from turnlog.conversation.turns.lease import Lease
from turnlog.items.json import encode
from turnlog.store import Layer
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.stores("memory", "sqlite")]

LEASE, QUEUE = LOG.beside("lease"), LOG.beside("queue")


async def none_left(store: Store) -> None:
    async with asyncio.timeout(60):
        while await store.read(LEASE):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


async def waiting(store: Store, count: int) -> None:
    """Wait until so many runs stand in the queue."""
    async with asyncio.timeout(60):
        while len(await store.read(QUEUE)) != count:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


# Over is over


async def test_a_lease_that_was_given_back_is_not_taken_anew(any_store: Store) -> None:
    lease = Lease(any_store, LOG)
    await lease.take()
    await lease.give_back()
    for call in (lease.renew, partial(check, lease)):
        with pytest.raises(LeaseLost):
            await call()
    assert await any_store.read(LEASE) == []


async def test_a_renewal_that_is_due_when_the_run_ends(any_store: Store) -> None:
    lease = Lease(any_store, LOG)
    await lease.take()
    lease._begin_renewal()  # the renewal's task is made, and has not begun
    await lease.give_back()
    assert lease._renewal is not None
    await lease._renewal
    assert await any_store.read(LEASE) == []


@pytest.mark.parametrize("is_over", [False, True])
async def test_a_renewal_that_fails_is_logged_while_the_lease_is_held(
    any_store: Store, caplog: pytest.LogCaptureFixture, *, is_over: bool
) -> None:
    """A store may be closed when the run has ended, while a renewal is still on its way."""
    gate = Gate(any_store, LEASE)
    lease = Lease(gate, LOG)
    await lease.take()
    gate.open.clear()
    lease._begin_renewal()
    await gate.came.wait()
    if is_over:
        await lease.give_back()
    await any_store.aclose()
    gate.open.set()
    assert lease._renewal is not None
    await lease._renewal
    assert ("was not renewed: StoreClosed" in caplog.text) != is_over
    lease._stop_renewals()


@pytest.mark.parametrize("has_next", [False, True])
async def test_a_renewal_that_is_on_its_way_when_the_run_ends(
    any_store: Store, *, has_next: bool
) -> None:
    gate = Gate(any_store, LEASE)
    lease, next_one = Lease(gate, LOG), Lease(any_store, LOG)
    await lease.take()
    queueing = asyncio.create_task(next_one.queue()) if has_next else None
    await waiting(any_store, int(has_next))
    gate.open.clear()
    renewal = asyncio.create_task(lease.renew())
    await gate.came.wait()
    await lease.give_back()
    gate.open.set()
    with pytest.raises(LeaseLost):
        await renewal
    if queueing is not None:
        async with asyncio.timeout(60):
            await queueing
        await next_one.give_back()
    assert await any_store.read(LEASE) == []


async def test_a_write_that_comes_after_the_end_of_its_run(any_store: Store) -> None:
    """A tool's, on its way while the run ends and another one writes."""
    gate = Gate(any_store, LOG)
    session = StoredSession("session", gate)
    async with turn_taken(session):
        await session.add_items([{"n": 1}])
        gate.open.clear()
        late = asyncio.create_task(session.add_items([{"n": 2}]))
        await gate.came.wait()
    await StoredSession("session", any_store).add_items([{"n": 3}])
    gate.open.set()
    with pytest.raises(LeaseLost):
        await late
    assert await any_store.read(LEASE) == []
    async with turn_taken(other(session), "reject"):
        pass


async def test_many_short_runs_with_renewals_leave_no_lease(any_store: Store) -> None:
    session = StoredSession("session", any_store)

    async def run(number: int) -> None:
        async with turn_taken(other(session), seconds=0.06):
            await asyncio.sleep(0.0005 * (number % 50))

    for number in range(150):
        await apart(run(number))
        assert await any_store.read(LEASE) == []


# Clocks


@pytest.mark.parametrize("step", [1.4, -3, -4800], ids=["ahead", "behind", "long behind"])
async def test_a_clock_that_is_wrong_takes_no_lease_from_a_live_run(
    instant_store: Store, virtual_time: VirtualTime, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """Ahead by less than the lease lasts, or behind by any time; `step` is in leases."""
    holder = Lease(instant_store, LOG, seconds=SHORT)
    await holder.take()
    right = virtual_time.time
    monkeypatch.setattr(virtual_time, "time", lambda: right() + step * SHORT)
    thief = Lease(instant_store, LOG, seconds=SHORT)
    end = virtual_time.monotonic() + 5 * SHORT
    while virtual_time.monotonic() < end:
        assert await blocker(thief) == holder.holder
        assert await blocker(Lease(instant_store, LOG, seconds=SHORT)) == holder.holder
        await asyncio.sleep(SHORT / 15)
    await check(holder)
    await holder.give_back()


async def test_a_clock_that_steps_while_a_run_waits(
    instant_store: Store, virtual_time: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = Lease(instant_store, LOG, seconds=SHORT)
    waiter = Lease(instant_store, LOG, seconds=SHORT)
    await holder.take()
    queueing = asyncio.create_task(waiter.queue())
    right = virtual_time.time
    for step in (-0.6 * SHORT, 0.6 * SHORT, 0):
        monkeypatch.setattr(virtual_time, "time", lambda step=step: right() + step)
        await asyncio.sleep(1.5 * SHORT)
        assert not queueing.done()
        await check(holder)
    await holder.give_back()
    await queueing
    await waiter.give_back()


async def test_a_dead_run_keeps_others_waiting_for_its_lease_and_no_longer(
    instant_store: Store, virtual_time: VirtualTime
) -> None:
    await dead(instant_store)
    waiter = Lease(instant_store, LOG)
    start = virtual_time.monotonic()
    await waiter.queue()
    assert SHORT * 0.9 <= virtual_time.monotonic() - start < SHORT * 3
    await waiter.give_back()
    assert await instant_store.read(LEASE) == []


async def test_a_dead_run_does_not_keep_out_those_who_do_not_wait(instant_store: Store) -> None:
    await dead(instant_store)
    session = StoredSession("session", instant_store)
    with pytest.raises(SessionBusy):
        async with turn_taken(session, "reject"):
            pytest.fail("it may live")
    await asyncio.sleep(2.1 * SHORT)
    async with turn_taken(session, "reject"):
        pass


# Giving back


@pytest.mark.parametrize("happened", [False, True])
async def test_giving_back_is_tried_until_it_works(
    instant_store: Store,
    virtual_time: VirtualTime,
    caplog: pytest.LogCaptureFixture,
    *,
    happened: bool,
) -> None:
    bad = Failing(instant_store)
    session = StoredSession("session", bad)
    async with turn_taken(session):
        bad.plan = fails_for(0.3, virtual_time, happened=happened)
    async with turn_taken(StoredSession("session", instant_store), "reject"):
        pass
    assert "OSError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_long_outage_keeps_the_caller_a_second_only(
    instant_store: Store, virtual_time: VirtualTime
) -> None:
    bad = Failing(instant_store)
    async with turn_taken(StoredSession("session", bad)):
        bad.plan = fails_for(1.6, virtual_time)
        end = virtual_time.monotonic()
    assert virtual_time.monotonic() - end < 1.1
    assert await instant_store.read(LEASE) != []  # the caller goes on before the outage ends
    await none_left(instant_store)
    assert virtual_time.monotonic() - end < 5


async def test_a_store_that_was_closed_is_not_asked_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    any_store = MemoryStore()
    async with turn_taken(StoredSession("session", any_store)):
        await any_store.aclose()
    assert not giving_back._tasks
    assert "expires by itself: StoreClosed" in caplog.text


def fails_for(seconds: float, clock: VirtualTime, *, happened: bool = False) -> Any:
    """A plan by which every call fails for some time."""
    end = clock.monotonic() + seconds
    failure = Failure(OSError("secret"), happened=happened)
    return lambda _verb: failure if clock.monotonic() < end else None


# Waiting in order


async def test_those_who_wait_are_served_in_the_order_in_which_they_came(
    instant_store: Store,
) -> None:
    holder = Lease(instant_store, LOG)
    await holder.take()
    leases = [Lease(instant_store, LOG) for _ in range(5)]
    served: list[int] = []

    async def wait(number: int) -> None:
        await leases[number].queue()
        served.append(number)
        await asyncio.sleep(0.01)
        await leases[number].give_back()

    tasks = []
    for number in range(5):
        tasks.append(asyncio.create_task(wait(number)))
        await waiting(instant_store, number + 1)
    await holder.renew()
    await holder.give_back()
    late = Lease(instant_store, LOG)
    assert await blocker(late, in_order=True) is not None, "one who comes later"
    async with asyncio.timeout(60):
        await asyncio.gather(*tasks)
    assert served == [0, 1, 2, 3, 4]
    assert await instant_store.read(LEASE) == []


async def test_one_that_died_waiting_keeps_others_for_two_seconds(
    instant_store: Store, virtual_time: VirtualTime
) -> None:
    await instant_store.append(QUEUE, [encode({"waiter": "dead"})])
    lease = Lease(instant_store, LOG)
    start = virtual_time.monotonic()
    await lease.queue()
    assert 1.9 < virtual_time.monotonic() - start < 2.5
    await lease.give_back()
    assert await instant_store.read(LEASE) == []


async def test_those_who_do_not_wait_pass_those_who_died_waiting(any_store: Store) -> None:
    await any_store.append(QUEUE, [encode({"waiter": "dead"})])
    lease = Lease(any_store, LOG)
    assert await blocker(lease) is None
    await lease.give_back()


async def test_one_that_is_cancelled_while_it_waits_leaves_no_ticket(any_store: Store) -> None:
    holder = Lease(any_store, LOG)
    await holder.take()
    for delay in (0.0, 0.001, 0.01, 0.03):
        task = asyncio.create_task(Lease(any_store, LOG).queue())
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert len(await any_store.read(LEASE)) == 1
        assert await any_store.read(QUEUE) == []
    await holder.give_back()
    assert await any_store.read(LEASE) == []


async def test_a_holder_renews_though_others_wait(instant_store: Store) -> None:
    session = StoredSession("session", instant_store)
    waiter = Lease(instant_store, LOG)
    async with turn_taken(session, seconds=SHORT):
        queueing = asyncio.create_task(waiter.queue())
        await asyncio.sleep(3 * SHORT)
        await session.add_items([{"n": 1}])
        assert not queueing.done()
    await queueing
    await waiter.give_back()
    assert await instant_store.read(LEASE) == []


class SlowToClear(Layer):
    async def commit(self, session: str, changes: Sequence[Change], **options: Any) -> Committed:
        done = await super().commit(session, changes, **options)
        if any(isinstance(change, Remove) and change.log == "main" for change in changes):
            await asyncio.sleep(SHORT)
        return done


async def test_a_holder_that_clears_its_session_keeps_it(instant_store: Store) -> None:
    """Also when it is renewed before the answer comes."""
    session = StoredSession("session", SlowToClear(instant_store))
    async with turn_taken(session, seconds=SHORT):
        await session.add_items([{"n": 1}])
        await session.clear_session()
        await session.add_items([{"n": 2}])
        assert await blocker(Lease(instant_store, LOG)) is not None
    assert await session.get_items() == [{"n": 2}]
    assert await instant_store.read(LEASE) == []


# Forks


@pytest.mark.stores("sqlite")
async def test_a_forked_child_gives_nothing_back(any_store: Store) -> None:
    """As when it ends by an exception that leaves the block in which it was forked."""
    lease = Lease(any_store, LOG)
    await lease.take()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(lease.give_back())
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode((await asyncio.to_thread(os.waitpid, child, 0))[1]) == 0
    await check(lease)
    await lease.give_back()
    assert await any_store.read(LEASE) == []
