"""Waiting for a lease: when it has expired, who is told what, and for how long a run waits."""

import asyncio
import logging
import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.conversation.turns.leases import LOG, SHORT, apart, dead, other, turn_taken
from turnlog import (
    Log,
    RunConfig,
    SessionBusy,
    SessionWaitTimeout,
    Store,
    StoredSession,
    open_store,
)
from turnlog.conversation.turns.claims import Claim, Claims
from turnlog.conversation.turns.duration import LEASE_SECONDS
from turnlog.conversation.turns.lease import Lease
from turnlog.conversation.turns.waiting import Watch
from turnlog.items.json import decode
from turnlog.store import Layer

pytestmark = [pytest.mark.anyio, pytest.mark.stores("memory", "sqlite")]


@pytest.fixture
def session(any_store: Store) -> StoredSession:
    return StoredSession("session", any_store)


@pytest.fixture
def instant_session(instant_store: Store) -> StoredSession:
    return StoredSession("session", instant_store)


class Clocks:
    """The clocks of a waiting run, and a holder that renews its claim by the same ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float = LEASE_SECONDS) -> None:
        self.seconds = seconds
        self.now = 1_000.0
        self.watch = Watch(seconds)
        self.claim = Claim(1, "holder", seconds, self.now + seconds)
        for clock in ("monotonic", "time"):
            monkeypatch.setattr(f"turnlog.conversation.turns.waiting.time.{clock}", self._now)

    def _now(self) -> float:
        return self.now

    def renew(self) -> None:
        until = self.now + self.seconds
        self.claim = self.claim._replace(position=self.claim.position + 1, until=until)

    def looks(self) -> bool:
        """Whether the lease has expired, at a look just now."""
        self.watch.saw(self.claim)
        return self.watch.has_expired(self.claim)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


class TestExpiry:
    def test_it_comes_when_all_renewals_were_missed(self, clocks: Clocks) -> None:
        assert not clocks.looks()
        end = clocks.now + clocks.seconds
        while clocks.now < end - 0.1:
            clocks.now += 0.1
            assert not clocks.looks()
        clocks.now += 0.5
        assert clocks.looks()

    @pytest.mark.parametrize("stopped", [11.0, 60.0, 86_400.0])
    def test_a_waiter_that_stood_still_does_not_take_it(
        self, clocks: Clocks, stopped: float
    ) -> None:
        """Both were stopped, as when a machine sleeps; the holder needs a moment to renew."""
        for _ in range(30):
            assert not clocks.looks()
            clocks.now += 0.1
        clocks.now += stopped
        for _ in range(30):  # three seconds
            assert not clocks.looks()
            clocks.now += 0.1
        clocks.renew()
        for _ in range(90):
            assert not clocks.looks()
            clocks.now += 0.1

    def test_a_waiter_that_stands_still_again_and_again_does_not_take_it(
        self, clocks: Clocks
    ) -> None:
        for _ in range(20):
            for _ in range(2):
                assert not clocks.looks()
                clocks.now += 3600
            clocks.renew()

    @pytest.mark.parametrize("blocked", [1.0, 3.0, 5.0, 6.0])
    @pytest.mark.parametrize("phase", [0.0, 0.7, 1.9, 3.2, 3.3])
    def test_a_holder_that_is_blocked_for_some_seconds_keeps_it(
        self, clocks: Clocks, blocked: float, phase: float
    ) -> None:
        """Its event loop stands still for so long, `phase` seconds behind each renewal."""
        interval = clocks.claim.interval
        due = clocks.now + max(phase + blocked, interval)
        for _ in range(600):
            assert not clocks.looks()
            clocks.now += 0.1
            if clocks.now >= due:
                clocks.renew()
                due = clocks.now + max(phase + blocked, interval)

    def test_a_failed_renewal_is_made_up_for(self, clocks: Clocks) -> None:
        """Two in a row fail after two seconds each; they are retried after a ninth."""
        interval, slow = clocks.claim.interval, 2.0
        gap = interval + slow + clocks.seconds / 9
        for _ in range(20):
            end = clocks.now + gap
            while clocks.now < end:
                assert not clocks.looks()
                clocks.now += 0.1
            clocks.renew()

    def test_who_looks_once_takes_what_expired_long_ago(self, clocks: Clocks) -> None:
        clocks.now += 2 * clocks.seconds - 0.1
        assert not Clocks.looks(clocks)
        clocks.now += 0.2
        assert clocks.looks()

    def test_without_a_process_the_expiry_decides(self, clocks: Clocks) -> None:
        names: list[Any] = [None, "nonsense", "0123456789abcdef/1/1", f"x/{os.getpid()}/1"]
        for name in names:
            clocks.claim = clocks.claim._replace(process=name)
            assert not clocks.looks()


class TestAbsence:
    """The run that is first in the queue leaves the free lease untaken."""

    def is_absent_after(self, clocks: Clocks, looks: int) -> bool:
        """Whether it counts as dead at one of so many looks, a tenth of a second apart."""
        found = []
        for _ in range(looks):
            clocks.now += 0.1
            found.append(clocks.watch.is_absent(7))
        return any(found)

    def test_it_is_believed_dead_after_two_seconds(self, clocks: Clocks) -> None:
        assert not self.is_absent_after(clocks, 20)
        assert self.is_absent_after(clocks, 3)

    @pytest.mark.parametrize("stopped", [3.0, 60.0, 86_400.0])
    def test_a_run_that_stood_still_itself_does_not_judge_it(
        self, clocks: Clocks, stopped: float
    ) -> None:
        assert not self.is_absent_after(clocks, 10)
        clocks.now += stopped
        assert not self.is_absent_after(clocks, 5)

    def test_the_time_in_which_the_lease_was_not_free_does_not_count(self, clocks: Clocks) -> None:
        assert not self.is_absent_after(clocks, 15)
        assert not clocks.watch.is_absent(0)
        assert not self.is_absent_after(clocks, 15)


class TestClaims:
    async def test_claims_and_tickets_name_their_process(self, any_store: Store) -> None:
        lease = await dead(any_store)
        claims = Claims(any_store, LOG, SHORT)
        await claims.commit([claims.ticket("me")])
        [claim] = await any_store.read(LOG.beside("lease"))
        [ticket] = await any_store.read(LOG.beside("queue"))
        assert set(decode(claim.payload)) == {"holder", "seconds", "until", "process"}
        assert set(decode(ticket.payload)) == {"waiter", "process"}
        assert decode(claim.payload)["process"] == decode(ticket.payload)["process"]
        assert len(claim.payload) < 170
        await lease.give_back()

    @pytest.mark.parametrize(
        "process", ["", ',"process":7', ',"process":"x"', ',"process":null'], ids=list("abcd")
    )
    async def test_those_of_older_versions_count(self, any_store: Store, process: str) -> None:
        record = f'{{"holder":"old","seconds":{SHORT},"until":1e12{process}}}'
        await any_store.append(LOG.beside("lease"), [record.encode()])
        assert await Lease(any_store, LOG).take() == "old"
        waiting_run = Lease(any_store, LOG)
        await waiting_run.queue()
        await waiting_run.give_back()


class TestReports:
    async def test_it_is_logged_once_for_whom_a_run_waits(
        self, instant_session: StoredSession, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        monkeypatch.setattr("turnlog.conversation.turns.reporting._SILENT", 0.3)
        caplog.set_level(logging.INFO, "turnlog.conversation.turns.reporting")
        async with turn_taken(instant_session):
            waits = asyncio.create_task(apart(_turn(other(instant_session))))
            behind = asyncio.create_task(apart(_turn(other(instant_session))))
            while len(caplog.records) < 2:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
        await asyncio.gather(waits, behind)
        assert len(caplog.records) == 2
        for record in caplog.records:
            assert record.levelno == logging.INFO  # it is known to live
            assert re.fullmatch(
                r"session 'session', branch 'main': this run has waited \d\.\d s for another run "
                r"of this process, whose lease lasts until \d\d:\d\d:\d\d UTC; it was renewed "
                r"\d\.\d s ago",
                record.getMessage(),
            )

    async def test_a_warning_if_it_may_be_dead(
        self, instant_store: Store, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        monkeypatch.setattr("turnlog.conversation.turns.reporting._SILENT", 0.2)
        record = b'{"holder":"h","seconds":0.3,"until":1e9,"process":"0123456789abcdef/4711/1"}'
        await instant_store.append(LOG.beside("lease"), [record.replace(b"1e9", b"1e10")])
        lease = Lease(instant_store, LOG)
        await lease.queue()
        await lease.give_back()
        [logged] = caplog.records
        assert logged.levelno == logging.WARNING
        assert "the run of process 4711 on another machine or in another" in logged.getMessage()

    async def test_nothing_is_logged_without_a_wait(
        self, instant_session: StoredSession, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        monkeypatch.setattr("turnlog.conversation.turns.reporting._SILENT", 0.0)
        caplog.set_level(logging.INFO, "turnlog")
        await _turn(instant_session)
        assert caplog.records == []

    @pytest.mark.parametrize("place", ["first", "behind"])
    async def test_a_cancelled_wait_says_for_whom(
        self, instant_session: StoredSession, place: str
    ) -> None:
        async with turn_taken(instant_session):
            first = asyncio.create_task(apart(_turn(other(instant_session))))
            await _tickets(instant_session, 1)
            waits = (
                asyncio.create_task(apart(_timed_out(other(instant_session))))
                if place != "first"
                else None
            )
            if waits is None:
                first.cancel()
                with pytest.raises(asyncio.CancelledError) as caught:
                    await first
                error: BaseException = caught.value
            else:
                with pytest.raises(TimeoutError) as timed:
                    await waits
                cause = timed.value.__cause__ or timed.value.__context__
                assert cause is not None
                error = cause
            note = " ".join(error.__notes__)
            assert "session 'session', branch 'main': waited" in note
            assert "for another run of this process, whose lease lasts until" in note
        await asyncio.gather(first, return_exceptions=True)


async def _timed_out(session: StoredSession) -> None:
    async with asyncio.timeout(0.3):
        await _turn(session)


class TestBusyTimeout:
    @pytest.mark.parametrize("place", ["first", "behind"])
    async def test_a_run_waits_no_longer(self, instant_session: StoredSession, place: str) -> None:
        async with turn_taken(instant_session):
            ahead = (
                asyncio.create_task(apart(_turn(other(instant_session))))
                if place == "behind"
                else None
            )
            if ahead is not None:
                await _tickets(instant_session, 1)
            with pytest.raises(SessionWaitTimeout) as caught:
                await apart(_turn(other(instant_session), busy_timeout=0.2))
            assert isinstance(caught.value, SessionBusy)
            assert isinstance(caught.value, TimeoutError)
            assert re.fullmatch(
                r"the run on log 'main' of session 'session' waited 0\.2 s for another run of "
                r"this process, whose lease lasts until \d\d:\d\d:\d\d UTC: try again later, or "
                r"raise busy_timeout",
                str(caught.value),
            )
            assert len(await instant_session.store.read(LOG.beside("queue"))) == (place == "behind")
        if ahead is not None:
            await ahead
        said = [item["content"] for item in await instant_session.get_items()]
        assert said == ["hello"] * (place == "behind")
        assert await instant_session.store.read(LOG.beside("lease")) == []

    async def test_a_free_session_needs_none(self, session: StoredSession) -> None:
        await _turn(session, busy_timeout=1e-9)

    async def test_an_error_of_the_store_is_not_taken_for_it(self, any_store: Store) -> None:
        class Slow(Layer):
            async def read(self, log: Log, **bounds: Any) -> Any:
                if log.name == ":queue":
                    raise TimeoutError("the store's own")
                return await super().read(log, **bounds)

        session = StoredSession("session", Slow(any_store))
        async with turn_taken(StoredSession("session", any_store)):
            with pytest.raises(TimeoutError, match="the store's own"):
                await apart(_turn(session, busy_timeout=60))

    @pytest.mark.parametrize("bad", [0, -1, float("inf"), float("nan")], ids=str)
    async def test_it_is_a_time(self, session: StoredSession, bad: float) -> None:
        with pytest.raises(ValueError, match=r"busy_timeout must be .*'reject'"):
            RunConfig(busy_timeout=bad)
        with pytest.raises(ValueError, match="busy_timeout"):
            await _turn(session, busy_timeout=bad)


class TestDefaults:
    @pytest.mark.parametrize(
        ("of_run", "of_session", "of_store", "of_environment", "lasts"),
        [
            (None, None, None, None, LEASE_SECONDS),
            (None, None, None, "", LEASE_SECONDS),
            (None, None, None, "7.5", 7.5),
            (None, None, 6, "7", 6.0),
            (None, 5, 6, "7", 5.0),
            (4, 5, 6, "7", 4.0),
        ],
        ids=["nobody", "empty", "environment", "store", "session", "run"],
    )
    async def test_who_says_how_long_a_lease_lasts(
        self,
        any_store: Store,
        monkeypatch: pytest.MonkeyPatch,
        of_run: float | None,
        of_session: float | None,
        of_store: float | None,
        of_environment: str | None,
        lasts: float,
    ) -> None:
        if of_environment is not None:
            monkeypatch.setenv("TURNLOG_LEASE_SECONDS", of_environment)
        any_store.lease_seconds = of_store
        layer = Layer(any_store)
        session = StoredSession("session", layer, lease_seconds=of_session)
        fork = await session.fork("side")
        for each in (session, fork):
            async with each.turn("hello", lease_seconds=of_run):
                log = Log("session", each.branch).beside("lease")
                [claim] = await any_store.read(log)
            assert decode(claim.payload)["seconds"] == lasts

    @pytest.mark.parametrize("bad", ["x", "0", "-1", "inf", "nan"])
    async def test_a_bad_one_of_the_environment_is_named(
        self, session: StoredSession, monkeypatch: pytest.MonkeyPatch, bad: str
    ) -> None:
        monkeypatch.setenv("TURNLOG_LEASE_SECONDS", bad)
        with pytest.raises(ValueError, match=r"TURNLOG_LEASE_SECONDS must be .*10"):
            await _turn(session)
        assert await session.get_items() == []

    @pytest.mark.parametrize(
        ("bad", "error"),
        [("10", TypeError), (True, TypeError), (0, ValueError), (float("nan"), ValueError)],
        ids=["text", "bool", "zero", "nan"],
    )
    async def test_bad_ones_are_refused_at_the_door(
        self, any_store: Store, bad: Any, error: type[Exception]
    ) -> None:
        doors: list[Callable[[], object]] = [
            lambda: RunConfig(lease_seconds=bad),
            lambda: StoredSession("session", any_store, lease_seconds=bad),
            lambda: Lease(any_store, LOG, seconds=bad),
        ]
        for door in doors:
            with pytest.raises(error, match="lease_seconds must be"):
                door()


def test_a_url_says_it() -> None:
    for url in ("memory://", "sqlite:///a.db", "a.db"):
        assert open_store(url).lease_seconds is None
        assert open_store(url, lease_seconds=5).lease_seconds == 5.0
    for url in ("memory://?lease_seconds=2.5", "sqlite:////tmp/a.db?timeout=1&lease_seconds=2.5"):
        assert open_store(url, lease_seconds=5).lease_seconds == 2.5
    for bad in ("x", "0", "-1"):
        with pytest.raises(ValueError, match="lease_seconds must be"):
            open_store(f"sqlite:///a.db?lease_seconds={bad}")


async def _turn(session: StoredSession, **options: Any) -> None:
    async with session.turn("hello", **options):
        pass


async def _tickets(session: StoredSession, count: int) -> None:
    async with asyncio.timeout(30):
        while len(await session.store.read(LOG.beside("queue"))) < count:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)
