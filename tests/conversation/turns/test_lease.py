"""Leases: one run at a time on a session."""

import asyncio
import contextlib
import threading
import time
from functools import partial

import pytest

from tests.conversation.turns.leases import (
    LOG,
    SHORT,
    apart,
    blocker,
    check,
    dead,
    other,
    turn_taken,
)
from tests.virtual_time import VirtualTime
from turnlog import LeaseLost, SessionBusy, Store, StoredSession
from turnlog.conversation.turns.lease import Lease
from turnlog.conversation.turns.policy import Policy
from turnlog.testing import Failing, Failure, first_calls_of, never

pytestmark = [pytest.mark.anyio, pytest.mark.stores("memory", "sqlite")]


@pytest.fixture
def session(any_store: Store) -> StoredSession:
    return StoredSession("session", any_store)


class TestLease:
    async def test_one_holds_it_at_a_time(self, any_store: Store) -> None:
        first, second = Lease(any_store, LOG), Lease(any_store, LOG)
        assert await blocker(first) is None
        assert await blocker(second) == first.holder
        await first.give_back()
        assert await blocker(second) is None
        await second.give_back()

    async def test_one_of_many_takes_it(self, any_store: Store) -> None:
        leases = [Lease(any_store, LOG) for _ in range(20)]
        holders = await asyncio.gather(*(blocker(lease) for lease in leases))
        (winner,) = [lease for lease, holder in zip(leases, holders, strict=True) if holder is None]
        assert {holder for holder in holders if holder} <= {winner.holder, ""}
        await winner.give_back()

    async def test_it_leaves_nothing_behind(self, any_store: Store) -> None:
        for _ in range(5):
            lease = Lease(any_store, LOG)
            await lease.take()
            await lease.renew()
            await lease.give_back()
        assert await any_store.read(LOG.beside("lease")) == []

    async def test_it_never_grows(self, any_store: Store) -> None:
        lease = Lease(any_store, LOG)
        await lease.take()
        for _ in range(5):
            await lease.renew()
            assert len(await any_store.read(LOG.beside("lease"))) == 1
        await lease.give_back()

    async def test_it_is_renewed_while_its_holder_lives(
        self, instant_store: Store, virtual_time: VirtualTime
    ) -> None:
        lease = Lease(instant_store, LOG, seconds=SHORT)
        await lease.take()
        end = virtual_time.monotonic() + 10 * SHORT
        while virtual_time.monotonic() < end:
            assert await blocker(Lease(instant_store, LOG)) == lease.holder
            await asyncio.sleep(SHORT / 10)
        await check(lease)
        await lease.give_back()

    async def test_a_dead_holder_loses_it(self, any_store: Store) -> None:
        late = await dead(any_store)
        await asyncio.sleep(2.1 * SHORT)
        thief = Lease(any_store, LOG)
        assert await blocker(thief) is None
        for call in (partial(check, late), late.renew, partial(check, late)):
            with pytest.raises(LeaseLost):
                await call()
        await late.give_back()
        await check(thief)
        assert await blocker(Lease(any_store, LOG)) == thief.holder
        await thief.give_back()

    async def test_a_clock_that_is_behind_is_waited_out(
        self, any_store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        late = await dead(any_store)
        hours_ago = time.time() - 7200
        monkeypatch.setattr("turnlog.conversation.turns.waiting.time.time", lambda: hours_ago)
        thief = Lease(any_store, LOG)
        async with asyncio.timeout(60):
            while await blocker(thief):  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)
        with pytest.raises(LeaseLost):
            await late.renew()
        await thief.give_back()

    async def test_a_claim_that_cannot_be_read_ends_too(self, any_store: Store) -> None:
        await any_store.append(LOG.beside("lease"), [b"\xff{}"])
        lease = Lease(any_store, LOG, seconds=SHORT)
        async with asyncio.timeout(60):
            while await blocker(lease) is not None:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)
        await lease.give_back()

    async def test_a_claim_whose_answer_is_lost_counts(self, any_store: Store) -> None:
        bad = Failing(any_store, first_calls_of("commit", Failure(OSError("lost"), happened=True)))
        lease = Lease(bad, LOG)
        assert await blocker(lease) is None
        assert await blocker(Lease(any_store, LOG)) == lease.holder
        await lease.give_back()
        assert await any_store.read(LOG.beside("lease")) == []

    async def test_a_claim_that_nobody_can_tell_of_is_withdrawn(self, any_store: Store) -> None:
        bad = Failing(any_store)
        lost = Failure(OSError("lost"), happened=True)
        bad.plan = first_calls_of("commit", lost, lost)
        with pytest.raises(OSError, match="lost"):
            await Lease(bad, LOG).take()
        assert await any_store.read(LOG.beside("lease")) == []

    async def test_a_renewal_whose_answer_is_lost_counts(self, any_store: Store) -> None:
        bad = Failing(any_store)
        lease = Lease(bad, LOG)
        await lease.take()
        bad.plan = first_calls_of("commit", Failure(OSError("lost"), happened=True))
        await lease.renew()
        await check(lease)
        await lease.renew()
        assert len(await any_store.read(LOG.beside("lease"))) == 1
        await lease.give_back()
        assert await any_store.read(LOG.beside("lease")) == []

    async def test_a_renewal_that_fails_is_tried_again(
        self, instant_store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        bad = Failing(instant_store)
        lease = Lease(bad, LOG, seconds=SHORT)
        await lease.take()
        bad.plan = lambda verb: Failure(OSError("secret")) if verb == "commit" else None
        await asyncio.sleep(SHORT / 2)
        bad.plan = never
        await asyncio.sleep(1.5 * SHORT)
        assert await blocker(Lease(instant_store, LOG)) == lease.holder
        assert "not renewed: OSError" in caplog.text
        assert "secret" not in caplog.text
        await lease.give_back()

    async def test_cancelled_while_taking(self, any_store: Store) -> None:
        for rounds in range(12):
            task = asyncio.create_task(Lease(any_store, LOG).take())
            for _ in range(rounds):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                break
            assert await any_store.read(LOG.beside("lease")) == []

    @pytest.mark.parametrize("seconds", [0, -1, float("nan")])
    async def test_it_lasts_for_some_time(self, any_store: Store, seconds: float) -> None:
        with pytest.raises(ValueError, match="lease_seconds must be"):
            Lease(any_store, LOG, seconds=seconds)


class TestPolicies:
    async def test_queue_waits_for_the_end(self, session: StoredSession) -> None:
        async def run(n: int) -> None:
            async with turn_taken(other(session)) as mine:
                before = await mine.get_items()
                await mine.add_items([{"role": "user", "content": "", "n": n}])
                await asyncio.sleep(0.001)
                await mine.add_items([{"role": "assistant", "n": n}])
                assert len(await mine.get_items()) == len(before) + 2

        await asyncio.gather(*(run(n) for n in range(12)))
        items = await session.get_items()
        assert len(items) == 24
        assert [item["n"] for item in items[::2]] == [item["n"] for item in items[1::2]]

    async def test_reject_raises_before_anything_is_written(self, session: StoredSession) -> None:
        async def second() -> None:
            with pytest.raises(SessionBusy, match="session"):
                async with turn_taken(other(session), "reject"):
                    pytest.fail("two runs at once")

        async with turn_taken(session, "reject"):
            await apart(second())
        async with turn_taken(session, "reject"):
            pass

    async def test_branch_goes_on_with_a_copy(self, session: StoredSession) -> None:
        await session.add_items(
            [{"role": "user", "content": "", "n": 1}, {"role": "assistant", "n": 2}]
        )

        async def second() -> StoredSession:
            async with turn_taken(other(session), "branch") as mine:
                assert await mine.get_items() == [
                    {"role": "user", "content": "", "n": 1},
                    {"role": "assistant", "n": 2},
                ]
                await mine.add_items([{"role": "user", "content": "", "n": 9}])
                return mine

        async with turn_taken(session, "branch") as first:
            assert first is session
            await first.add_items(
                [{"role": "user", "content": "", "n": 3}, {"type": "function_call"}]
            )
            branch = await apart(second())
        assert branch.branch != "main"
        assert [item.get("n") for item in await branch.get_items()] == [1, 2, 9]
        assert [item.get("n") for item in await session.get_items()] == [1, 2, 3, None]

    async def test_off_takes_no_notice(self, session: StoredSession) -> None:
        async def second() -> None:
            async with turn_taken(other(session), "off") as mine:
                await mine.add_items([{"n": 1}])

        async with turn_taken(session):
            await apart(second())
        assert await session.get_items() == [{"n": 1}]

    @pytest.mark.parametrize("policy", ["queue", "reject", "branch"])
    async def test_a_run_inside_a_run_is_part_of_it(
        self, session: StoredSession, policy: Policy
    ) -> None:
        async with turn_taken(session):
            async with turn_taken(other(session), policy) as inner:
                assert inner.branch == "main"
                await inner.add_items([{"n": 1}])
            await session.add_items([{"n": 2}])
        assert await session.get_items() == [{"n": 1}, {"n": 2}]

    async def test_branches_of_a_conversation_run_at_once(self, session: StoredSession) -> None:
        side = StoredSession("session", session.store, branch="side")
        async with turn_taken(session, "reject"), turn_taken(side, "reject"):
            await side.add_items([{"n": 1}])

    async def test_an_unknown_policy_is_named(self, session: StoredSession) -> None:
        with pytest.raises(ValueError, match=r"'wait'.*'queue'"):
            async with turn_taken(session, "wait"):  # type: ignore[arg-type]
                pass

    async def test_the_lease_is_given_back_after_an_error(self, session: StoredSession) -> None:
        with pytest.raises(OSError, match="no"):
            async with turn_taken(session):
                raise OSError("no")
        async with turn_taken(session, "reject"):
            pass

    async def test_the_lease_is_given_back_after_cancellation(self, session: StoredSession) -> None:
        held = asyncio.Event()

        async def run() -> None:
            async with turn_taken(session):
                held.set()
                await asyncio.sleep(600)

        task = asyncio.create_task(run())
        await held.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        async with turn_taken(session, "reject"):
            pass


class TestFence:
    async def test_a_late_write_is_refused(self, session: StoredSession) -> None:
        async def thief() -> None:
            async with turn_taken(other(session)) as mine:
                await mine.add_items([{"role": "user", "content": "thief"}])

        async with turn_taken(session, seconds=SHORT):
            await session.add_items([{"role": "user", "content": "first"}])
            thread = threading.Thread(target=asyncio.run, args=(thief(),))
            thread.start()
            thread.join()  # and this loop stands still, as when its process is paused
            with pytest.raises(LeaseLost):
                await session.add_items([{"role": "assistant", "content": "late"}])
        said = [item["content"] for item in await session.get_items()]
        assert said == ["first", "thief"]

    async def test_others_may_add_beside_a_run(self, session: StoredSession) -> None:
        async with turn_taken(session):
            await session.add_items([{"n": 1}])
            await apart(other(session).add_items([{"n": 2}]))
            await session.add_items([{"n": 3}])
            await apart(other(session).pop_item())
            await session.add_items([{"n": 4}])
        assert [item["n"] for item in await session.get_items()] == [1, 2, 4]

    async def test_tools_may_use_the_session(self, session: StoredSession) -> None:
        async with turn_taken(session):
            await session.add_items([{"n": 1}, {"n": 2}])
            await asyncio.create_task(session.add_items([{"n": 3}]))
            assert await session.pop_item() == {"n": 3}
            await session.add_items([{"n": 4}])
            await session.clear_session()
            await session.add_items([{"n": 5}])
            with pytest.raises(SessionBusy):
                await apart(_run_rejecting(session))
        assert await session.get_items() == [{"n": 5}]
        assert await session.store.read(LOG.beside("lease")) == []

    async def test_many_tools_write_at_once(self, session: StoredSession) -> None:
        async with turn_taken(session):
            await session.get_items()
            await asyncio.gather(*(session.add_items([{"n": n}]) for n in range(10)))
        assert sorted(item["n"] for item in await session.get_items()) == list(range(10))

    async def test_cleared_from_outside(self, session: StoredSession) -> None:
        async with turn_taken(session):
            await session.add_items([{"n": 1}])
            await apart(other(session).clear_session())
            with pytest.raises(LeaseLost, match="cleared"):
                await session.add_items([{"n": 2}])
        assert await session.get_items() == []

    async def test_deleted_from_outside(self, session: StoredSession) -> None:
        fork = await session.fork("try")
        async with turn_taken(fork):
            await fork.add_items([{"n": 1}])
            await apart(other(session).delete_branch("try"))
            with pytest.raises(LeaseLost, match="branch deleted"):
                await fork.add_items([{"n": 2}])
        assert await fork.get_items() == []

    async def test_what_a_run_left_running_writes_as_anybody(self, session: StoredSession) -> None:
        go_on = asyncio.Event()

        async def later() -> None:
            await go_on.wait()
            await session.add_items([{"n": 1}])

        async with turn_taken(session):
            task = asyncio.create_task(later())
            await asyncio.sleep(0)
        go_on.set()
        await task
        assert await session.get_items() == [{"n": 1}]


async def _run_rejecting(session: StoredSession) -> None:
    async with turn_taken(other(session), "reject"):
        pass
