"""Sessions held in a `with` block, for a runner that knows nothing of leases."""

import contextvars
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.sample_items import user
from tests.sync.calls import interrupt_main
from turnlog import LeaseLost, Runner, SessionBusy, sync
from turnlog.agents.agent import Agent
from turnlog.items.json import Item
from turnlog.stores.memory import MemoryStore


def answer(text: str) -> Item:
    return {"role": "assistant", "content": text}


@pytest.fixture
def session() -> sync.StoredSession:
    return sync.StoredSession("s", MemoryStore())


def is_free(session: sync.StoredSession) -> bool:
    def hold() -> bool:
        try:
            with session.held("reject"):
                return True
        except SessionBusy:
            return False

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(hold).result()


def ask(session: Any, question: str, *, fails: bool = False) -> list[Item]:
    """As a runner does that knows nothing of leases; what it has sent."""
    sent = [*session.get_items(), user(question)]
    session.add_items([user(question)])
    if fails:
        raise ConnectionError("the model is away")
    session.add_items([answer(f"an answer to {question}")])
    return sent


def test_a_retry_sends_and_stores_the_question_once(session: sync.StoredSession) -> None:
    with pytest.raises(ConnectionError), session.held() as held:
        ask(held.session, "one", fails=True)
    with session.held() as held:
        assert held.session is session
        assert ask(held.session, "one") == [user("one")]
    assert session.get_items() == [user("one"), answer("an answer to one")]


def test_a_key_is_answered_once(session: sync.StoredSession) -> None:
    for is_replay in (False, True):
        with session.held(key="request-1") as held:
            assert held.is_replay == is_replay
            if held.is_replay:
                assert held.answer == [answer("an answer to one")]
                assert held.text == "an answer to one"
            else:
                ask(held.session, "one")
    assert len(session.get_items()) == 2
    with pytest.raises(ValueError, match="key"), session.held(key="request-1"):
        session.add_items([user("another question")])


def test_this_thread_is_inside_and_others_are_not(session: sync.StoredSession) -> None:
    with session.held(), ThreadPoolExecutor(1) as pool:
        assert not is_free(session)
        session.add_items([user("one")])
        inside = contextvars.copy_context()
        pool.submit(inside.run, session.add_items, [answer("1")]).result()
    assert is_free(session)
    assert session.get_items() == [user("one"), answer("1")]
    with ThreadPoolExecutor(1) as pool, pytest.raises(LeaseLost):
        pool.submit(inside.run, session.add_items, [answer("late")]).result()


def test_a_run_of_ours_within(session: sync.StoredSession) -> None:
    with session.held() as held:
        result = Runner.run_sync(Agent("A"), "My name is Alice", session=held.session)
    assert result.final_output
    assert len(session.get_items()) == 2
    assert is_free(session)


def test_it_is_given_back_however_the_block_is_left(session: sync.StoredSession) -> None:
    def lines() -> Generator[str, None, None]:
        with session.held():
            session.add_items([user("one")])
            yield "1"
            yield "2"

    response = lines()
    next(response)
    assert not is_free(session)
    response.close()
    assert is_free(session)
    with pytest.raises(KeyboardInterrupt), session.held():
        interrupt_main()
    assert is_free(session)
