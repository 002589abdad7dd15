"""Turns in a `with` block: held by the calling thread, and given back however it is left."""

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

import turnlog
from tests.sample_items import user
from tests.sync.calls import Interrupts, in_thread, interrupt_main
from turnlog import Agent, LeaseLost, Runner, SessionBusy, sync
from turnlog.conversation.turns.current import innermost_turn
from turnlog.items.json import Item
from turnlog.stores.memory import MemoryStore


def answer(text: str) -> Item:
    return {"role": "assistant", "content": text}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def session(store: MemoryStore) -> sync.StoredSession:
    return sync.StoredSession("s", store)


def is_free(session: sync.StoredSession) -> bool:
    """Whether another thread can begin a turn."""

    def begin() -> bool:
        try:
            with session.turn("another", policy="reject") as turn:
                turn.add([answer("yes")])
        except SessionBusy:
            return False
        return True

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(begin).result()


def test_a_turn_of_a_loop_of_ones_own(session: sync.StoredSession) -> None:
    session.add_items([user("My name is Alice."), answer("Hello, Alice.")])
    with session.turn("What's my name?") as turn:
        assert turn.session is session
        assert [item["content"] for item in turn.input][::2] == [
            "My name is Alice.",
            "What's my name?",
        ]
        assert turn.answer is None
        assert turn.compaction is None
        turn.add([answer("Alice.")], usage={"input_tokens": 3, "output_tokens": 1})
        assert turn.input[-1] == answer("Alice.")
    assert session.get_items()[-2:] == [user("What's my name?"), answer("Alice.")]
    assert session.usage().output_tokens == 1
    with pytest.raises(LeaseLost):
        turn.add([answer("more")])


def test_writes_of_the_block_are_fenced(session: sync.StoredSession, store: MemoryStore) -> None:
    with pytest.raises(LeaseLost), session.turn("one") as turn:  # noqa: PT012 - both raise it
        sync.run(store.append, turnlog.Log("s", ":lease"), [b"{}"])  # another run has taken it
        sync.run(store.append, turnlog.Log("s"), [b'{"role":"user","content":"theirs"}'])
        with pytest.raises(LeaseLost):
            session.add_items([answer("not through the turn, but inside of it")])
        turn.add([answer("mine")])
    assert [item["content"] for item in session.get_items()] == ["one", "theirs"]


def test_this_thread_is_inside_and_others_are_not(session: sync.StoredSession) -> None:
    def is_inside() -> bool:
        return innermost_turn() is not None

    assert not is_inside()
    with session.turn("one") as turn, ThreadPoolExecutor(1) as pool:
        assert is_inside()
        assert not pool.submit(is_inside).result()
        assert pool.submit(contextvars.copy_context().run, is_inside).result()
        assert not is_free(session)
        # With a copy of the context, its work is part of the turn.
        inside = contextvars.copy_context()
        pool.submit(inside.run, session.add_items, [answer("1")]).result()
        # What the turn itself stores is part of it in any thread.
        pool.submit(turn.add, [answer("2")]).result()
    assert not is_inside()
    assert is_free(session)
    assert [item["content"] for item in session.get_items()][:3] == ["one", "1", "2"]


def test_a_run_within_the_block_is_part_of_the_turn(session: sync.StoredSession) -> None:
    with session.turn("My name is Alice") as turn:
        result = Runner.run_sync(Agent("A"), "Who am I?", session=session)
        turn.add([answer(result.final_output)])
    assert len(session.get_items()) == 4
    assert is_free(session)


def test_turns_within_turns(session: sync.StoredSession, store: MemoryStore) -> None:
    other = sync.StoredSession("other", store)
    with session.turn("one") as turn, other.turn("two") as inner:
        inner.add([answer("2")])
        turn.add([answer("1")])
    assert len(session.get_items()) == len(other.get_items()) == 2


def test_one_turn_at_a_time_and_in_order(session: sync.StoredSession) -> None:
    def ask(number: int) -> None:
        with session.turn(f"question {number}") as turn:
            time.sleep(0.001)
            turn.add([answer(f"answer {number}")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(24)))
    items = session.get_items()
    for question, said in zip(items[::2], items[1::2], strict=True):
        assert question["content"].split()[1] == said["content"].split()[1]


def test_an_error_in_the_block_gives_the_session_back(session: sync.StoredSession) -> None:
    error = OSError("the model is away")
    with pytest.raises(OSError, match="the model is away") as caught, session.turn("one"):
        raise error
    assert caught.value is error
    assert is_free(session)
    with session.turn("one") as turn:  # a retry stores nothing twice
        turn.add([answer("1")])


def test_errors_of_the_beginning(session: sync.StoredSession) -> None:
    with session.turn("one"):
        assert not is_free(session)
    with pytest.raises(ValueError, match="policy"), session.turn("one", policy="soon"):  # type: ignore[arg-type]
        pytest.fail("the block is not entered")


def test_a_busy_session_can_branch(session: sync.StoredSession) -> None:
    session.add_items([user("zero"), answer("0")])
    with session.turn("one") as turn, ThreadPoolExecutor(1) as pool:

        def begin() -> sync.StoredSession:
            with session.turn("two", policy="branch") as other:
                other.add([answer("2")])
                return other.session

        branched = pool.submit(begin).result()
        turn.add([answer("1")])
    assert type(branched) is sync.StoredSession
    assert branched.branch != "main"
    assert [item["content"] for item in branched.get_items()] == ["zero", "0", "two", "2"]


def test_a_turn_with_a_key_is_asked_once(session: sync.StoredSession) -> None:
    for _ in range(2):
        with session.turn("one", key="request-1") as turn:
            if turn.answer is None:
                turn.add([answer("1")])
    assert turn.answer == [answer("1")]
    assert len(session.get_items()) == 2


def test_a_turn_that_ends_without_an_answer(session: sync.StoredSession) -> None:
    for _ in range(2):
        with session.turn("the same words") as turn:
            turn.end()
    assert len(session.get_items()) == 2


def test_a_response_that_is_streamed_by_a_generator(session: sync.StoredSession) -> None:
    def lines(*, until: int) -> Generator[str, None, None]:
        with session.turn("count") as turn:
            for number in range(until):
                yield str(number)
            turn.add([answer("counted")])

    assert list(lines(until=3)) == ["0", "1", "2"]
    assert is_free(session)
    stream = lines(until=3)
    assert next(stream) == "0"
    assert not is_free(session)
    stream.close()  # the client has gone
    assert is_free(session)
    stream = lines(until=3)
    next(stream)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(stream.close).result()  # by another thread of the server
    assert is_free(session)


# Ctrl-C


def test_an_interrupt_in_the_block_gives_the_session_back(session: sync.StoredSession) -> None:
    with pytest.raises(KeyboardInterrupt), session.turn("one"):  # noqa: PT012 - see its name
        interrupt_main()
        time.sleep(10)
    assert is_free(session)


def test_an_interrupt_while_it_waits_leaves_the_queue(session: sync.StoredSession) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with session.turn("one") as turn:
            begun.set()
            may_end.wait()
            turn.add([answer("1")])

    holding = in_thread(hold)
    begun.wait()
    interrupting = threading.Timer(0.2, interrupt_main)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it may come during `start`
        interrupting.start()
        with session.turn("two"):
            pytest.fail("the block is not entered")
    may_end.set()
    holding.join()
    interrupting.join()
    assert is_free(session)
    assert user("two") not in session.get_items()


def test_an_interrupt_at_any_moment_gives_the_session_back(session: sync.StoredSession) -> None:
    def ask(number: int) -> None:
        while True:
            with session.turn(f"question {number}") as turn:
                turn.add([answer("…")])

    for number in range(20):
        interrupting = threading.Timer(0.002 + number * 0.0007, interrupt_main)
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it may come during `start`
            interrupting.start()
            ask(number)
        interrupting.join()
        assert is_free(session)


def test_an_interrupt_before_the_end_has_started(session: sync.StoredSession) -> None:
    busy, free = threading.Event(), threading.Event()

    async def hog() -> None:
        busy.set()
        free.wait()

    def interrupt_and_free() -> None:
        time.sleep(0.1)
        interrupts.send()
        time.sleep(0.1)
        free.set()

    freeing = threading.Thread(target=interrupt_and_free)
    with (  # noqa: PT012 - at its end
        Interrupts() as interrupts,
        pytest.raises(KeyboardInterrupt),
        session.turn("one"),
    ):
        hogging = in_thread(lambda: sync.run(hog))
        busy.wait()
        freeing.start()  # it may be interrupted in here
    hogging.join()
    freeing.join()
    assert is_free(session)


# Forks, and other kinds of sessions


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_leaves_the_block_does_not_end_the_turn(tmp_path: Path) -> None:
    session = sync.SQLiteSession("s", tmp_path / "c.db")
    with ExitStack() as stack:
        turn = stack.enter_context(session.turn("one"))
        child = os.fork()
        if child == 0:
            stack.close()
            session.add_items([user("of the child, which waits for nothing")])
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        turn.add([answer("1")])
    assert len(session.get_items()) == 3
    session.close()


def test_within_a_running_event_loop(session: sync.StoredSession) -> None:
    async def cell() -> list[Item]:
        with session.turn("in a notebook") as turn:
            turn.add([answer("yes")])
        return session.get_items()

    assert len(asyncio.run(cell())) == 2
