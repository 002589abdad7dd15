"""Clients of an event loop: shared on it, and closed with it at the latest."""

import asyncio
import gc
import threading
from collections.abc import Callable

import pytest

from turnlog.errors import StoreClosed
from turnlog.loops.clients import SharedClients
from turnlog.loops.door import Door
from turnlog.loops.finishing import finished


class Client:
    """Notes what becomes of it."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.loop = asyncio.get_running_loop()
        self.closed_on: asyncio.AbstractEventLoop | None = None


@pytest.fixture
def made() -> list[Client]:
    return []


@pytest.fixture
def shared(made: list[Client]) -> SharedClients[str, Client]:
    def make(key: str) -> Client:
        made.append(Client(key))
        return made[-1]

    async def close(client: Client) -> None:
        assert client.closed_on is None, "closed twice"
        await asyncio.sleep(0)
        client.closed_on = asyncio.get_running_loop()

    return SharedClients(make, close, linger=0.01)


def closed(made: list[Client]) -> list[Client]:
    return [client for client in made if client.closed_on is client.loop]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - what is waited for has no event to set
            await asyncio.sleep(0.002)


@pytest.mark.anyio
async def test_one_client_for_all_users_of_a_key(
    shared: SharedClients[str, Client], made: list[Client]
) -> None:
    first, second, other = shared.share("a"), shared.share("a"), shared.share("b")
    assert made == []
    assert first.here() is second.here() is first.here()
    assert other.here() is not first.here()
    await first.aclose()
    assert not closed(made)
    await second.aclose()
    assert closed(made) == made[:1]
    await other.aclose()


@pytest.mark.anyio
async def test_a_client_lingers_for_the_next_user(
    shared: SharedClients[str, Client], made: list[Client]
) -> None:
    for _ in range(3):
        share = shared.share("a")
        share.here()
        share.release()
    assert len(made) == 1
    await until(lambda: made[0].closed_on is not None)
    assert shared.share("a").here() is not made[0]


@pytest.mark.anyio
async def test_a_user_that_is_garbage_holds_nothing(
    shared: SharedClients[str, Client], made: list[Client]
) -> None:
    shared.share("a").here()
    gc.collect()
    await until(lambda: made[0].closed_on is not None)


@pytest.mark.anyio
async def test_a_closed_hold_can_be_used_again(
    shared: SharedClients[str, Client], made: list[Client]
) -> None:
    share = shared.share("a")
    for _ in range(3):
        share.here()
        await share.aclose()
    assert len(made) == 3
    assert closed(made) == made


def test_a_loop_that_ends_closes_its_client(
    shared: SharedClients[str, Client], made: list[Client]
) -> None:
    share = shared.share("a")

    async def use() -> None:
        share.here()

    for _ in range(3):
        asyncio.run(use())
    assert closed(made) == made
    assert len(made) == 3


def test_letting_go_after_the_loop_has_ended(
    shared: SharedClients[str, Client], made: list[Client]
) -> None:
    share = shared.share("a")

    async def use() -> None:
        share.here()

    asyncio.run(use())
    share.release()
    asyncio.run(share.aclose())
    assert len(made) == 1


def test_each_loop_has_its_own_and_closes_it_itself(
    shared: SharedClients[str, Client], made: list[Client]
) -> None:
    share = shared.share("a")
    used, go_on = threading.Event(), threading.Event()

    async def elsewhere() -> None:
        share.here()
        used.set()
        await asyncio.to_thread(go_on.wait)
        await until(lambda: made[0].closed_on is not None)

    async def here() -> None:
        share.here()
        await share.aclose()
        assert made[1].closed_on is made[1].loop

    thread = threading.Thread(target=asyncio.run, args=(elsewhere(),))
    thread.start()
    used.wait()
    asyncio.run(here())
    go_on.set()
    thread.join()
    assert made[0].closed_on is made[0].loop is not made[1].loop


class Watched(asyncio.SelectorEventLoop):
    """Other threads begin to use a client while somebody looks whether this has ended."""

    meanwhile: Callable[[], None] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[threading.Thread] = []

    def is_closed(self) -> bool:
        if self.meanwhile is not None and threading.current_thread() is threading.main_thread():
            thread = threading.Thread(target=self.meanwhile)
            self.begun.append(thread)
            thread.start()
            thread.join(0.2)  # not for ever: it may wait for what the looking thread holds
        return super().is_closed()


def test_other_threads_begin_meanwhile(
    shared: SharedClients[str, Client], made: list[Client]
) -> None:
    share = shared.share("a")

    async def use() -> None:
        share.here()

    with asyncio.Runner(loop_factory=Watched) as runner:
        runner.run(use())
        loop = runner.get_loop()
        assert isinstance(loop, Watched)
        others: list[bool] = []

        def meanwhile() -> None:
            asyncio.run(use())
            others.append(True)

        loop.meanwhile = meanwhile
        asyncio.run(use())
        loop.meanwhile = None
        for thread in loop.begun:
            thread.join()
        assert len(made) == len(others) + 2 > 2


class Slow(Door):
    """Somebody else closes it between a call's look at it and what the call does then."""

    closing: threading.Thread | None = None

    @property
    def is_closed(self) -> bool:
        seen = self.__dict__["is_closed"]
        if self.closing is not None and not self.closing.ident:
            self.closing.start()
            self.closing.join(0.2)  # long enough to come back, if nothing is waited for
        return bool(seen)

    @is_closed.setter
    def is_closed(self, value: bool) -> None:
        self.__dict__["is_closed"] = value


def test_no_call_is_inside_once_close_has_returned() -> None:
    door = Slow("Store")
    door.closing = threading.Thread(target=asyncio.run, args=(door.close(),))
    with door:
        assert door.closing.is_alive(), "close() came back, and a call is inside"
    door.closing.join()
    for _ in range(2):
        with pytest.raises(StoreClosed), door:
            pass
    asyncio.run(door.close())  # nobody is left inside


@pytest.mark.anyio
async def test_cancelled_work_is_finished_first() -> None:
    done = []

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.append(1)

    task = asyncio.create_task(finished(work()))
    for _ in range(3):
        await asyncio.sleep(0.001)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [1]


@pytest.mark.anyio
async def test_the_error_of_cancelled_work_is_the_cause() -> None:
    async def work() -> None:
        await asyncio.sleep(0.01)
        raise OSError("lost")

    task = asyncio.create_task(finished(work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.anyio
async def test_work_that_ends_is_handed_on() -> None:
    async def work() -> int:
        return 1

    async def fail() -> None:
        raise OSError("no")

    assert await finished(work()) == 1
    with pytest.raises(OSError, match="no"):
        await finished(fail())
