"""What stores share: retries with backoff, the clock, and the check of a ttl."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from turnlog.stores.clock import as_text, check_ttl, micros, now, seconds
from turnlog.stores.retrying import backoff, retry, retry_blocking

pytestmark = pytest.mark.anyio


def _is_passing(error: Exception) -> bool:
    return isinstance(error, ConnectionError)


class Flaky:
    """Raises `errors`, one a call, then returns "done"."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = iter(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        error = next(self._errors, None)
        if error is not None:
            raise error
        return "done"

    async def answer(self) -> str:
        return self()


async def test_passing_errors_are_retried() -> None:
    for errors in ([], [ConnectionError()], [ConnectionError(), ConnectionError()]):
        call = Flaky(*errors)
        assert await retry(call.answer, [0, 0], _is_passing) == "done"
        assert call.calls == len(errors) + 1
        assert retry_blocking(Flaky(*errors), [0, 0], _is_passing) == "done"


async def test_the_last_error_is_raised_when_the_delays_are_used_up() -> None:
    first, last = ConnectionError("first"), ConnectionError("last")
    with pytest.raises(ConnectionError, match="last"):
        await retry(Flaky(first, last).answer, [0], _is_passing)
    with pytest.raises(ConnectionError, match="last"):
        retry_blocking(Flaky(first, last), [0], _is_passing)


async def test_other_errors_are_raised_at_once() -> None:
    call = Flaky(TypeError("a mistake"), ConnectionError())
    with pytest.raises(TypeError, match="a mistake"):
        await retry(call.answer, [0, 0], _is_passing)
    assert call.calls == 1


def test_backoff_doubles_and_ends_with_the_patience() -> None:
    assert list(itertools.islice(backoff(1, 5, 60), 5)) == [1, 2, 4, 5, 5]
    assert list(backoff(1, 5, 0)) == []
    # By then, at most a hundred of a thousand have failed.
    with pytest.raises(ConnectionError):
        retry_blocking(Flaky(*[ConnectionError()] * 1000), backoff(0.001, 0.002, 0.1), _is_passing)


def test_the_clock_never_repeats_in_any_thread() -> None:
    with ThreadPoolExecutor(4) as threads:
        drawn = list(threads.map(lambda _: [now() for _ in range(2000)], range(4)))
    times = [time for part in drawn for time in part]
    assert len(set(times)) == len(times)
    assert all(part == sorted(part) for part in drawn)


def test_times_come_back_from_text() -> None:
    moment = datetime(2026, 2, 3, 4, 5, 6, 70, tzinfo=UTC)
    text = as_text(micros(moment.timestamp()))
    assert text == "2026-02-03 04:05:06.000070"
    for stored in (text, text.encode(), moment, moment.replace(tzinfo=None)):
        assert seconds(stored) == moment.timestamp()
    assert [seconds(stored) for stored in (None, "", b"\xff", "soon")] == [0.0] * 4


@pytest.mark.parametrize("ttl", [0, -1, 101])
def test_a_ttl_out_of_range_is_refused(ttl: int) -> None:
    assert [check_ttl(each, 100) for each in (None, 1, 100)] == [None, 1, 100]
    with pytest.raises(ValueError, match=f"ttl is {ttl}; it must be between 1 and 100 seconds"):
        check_ttl(ttl, 100)
    with pytest.raises(TypeError, match="whole number of seconds or None, not a bool"):
        check_ttl(True, 100)  # noqa: FBT003 - what is tested
