"""The guide to Flask: its program under gunicorn's threads keeps what the page promises."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.docs.guides.programs import SLOW, Answer, Site, at_once, printed, program

pytestmark = pytest.mark.slow

ALICE = {"Authorization": "Bearer token-of-alice"}
QUESTION = "My name is Alice and I love Python"
ANSWER = "I'll remember: your name is Alice and you love Python."


def gunicorn(port: int) -> list[str]:
    bound = ["--bind", f"127.0.0.1:{port}", "--workers", "2"]
    return printed("flask", "gunicorn", "slow:app", *bound)


def slowly(files: dict[str, str]) -> None:
    files["slow.py"] = SLOW.format(module="app")


def served(change: Callable[[dict[str, str]], None] = slowly) -> AbstractContextManager[Site]:
    return program("flask", gunicorn, change=change)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served() as running:
        yield running


def say(site: Site, text: str, key: str, chat: str, view: str = "messages") -> Answer:
    headers = {**ALICE, "Idempotency-Key": key}
    return site.post(f"/chats/{chat}/{view}", {"text": text}, **headers)


def leave(site: Site, text: str, key: str, chat: str) -> None:
    headers = {**ALICE, "Idempotency-Key": key}
    site.leave(f"/chats/{chat}/stream", {"text": text}, **headers)


def questions(site: Site, chat: str) -> object:
    return site.get(f"/chats/{chat}/messages", **ALICE).json


def test_answers_come_whole_or_in_pieces_and_are_remembered(site: Site) -> None:
    told = say(site, QUESTION, "a", "memory", "stream")
    assert told.headers["Content-Type"].startswith("text/event-stream")
    assert told.text == ANSWER
    assert len(told.events) > 3
    assert say(site, "What's my name?", "b", "memory").json == {"answer": "Your name is Alice."}
    assert questions(site, "memory") == [QUESTION, "What's my name?"]


def test_nobody_reads_the_chats_of_others(site: Site) -> None:
    say(site, "A secret", "a", "private")
    bob = {"Authorization": "Bearer token-of-bob"}
    assert site.get("/chats/private/messages", **bob).json == []
    assert site.get("/chats", **bob).json == []
    assert "private" in site.get("/chats", **ALICE).body
    assert site.get("/chats/private/messages").status == 401
    assert site.get("/chats/alice%2Fprivate/messages", **bob).status == 404


def test_a_message_needs_a_text_and_a_key(site: Site) -> None:
    assert site.post("/chats/1/messages", {"text": "hi"}, **ALICE).status == 400
    assert (
        site.post("/chats/1/messages", {"t": 1}, **ALICE, **{"Idempotency-Key": "k"}).status == 400
    )
    assert questions(site, "1") == []


def test_a_message_that_is_sent_twice_at_once_is_answered_once(site: Site) -> None:
    before = len(site.asked)
    calls = [lambda: say(site, QUESTION, "k", "double")] * 3
    assert [answer.json for answer in at_once(*calls)] == [{"answer": ANSWER}] * 3
    assert len(site.asked) == before + 1
    assert questions(site, "double") == [QUESTION]


def test_a_key_that_comes_back_with_another_text_is_refused(site: Site) -> None:
    say(site, QUESTION, "k", "other")
    assert say(site, "My name is Bob", "k", "other").status == 422
    assert say(site, "My name is Bob", "k", "other", "stream").status == 422
    assert questions(site, "other") == [QUESTION]


def test_a_run_whose_client_went_away_ends_and_a_retry_gets_its_answer(site: Site) -> None:
    before = len(site.asked)
    leave(site, QUESTION, "k", "away")
    assert say(site, QUESTION, "k", "away", "stream").events == [("delta", ANSWER), ("done", "")]
    assert len(site.asked) == before + 1


def test_many_threads_wait_for_slow_answers_side_by_side(site: Site) -> None:
    calls = [lambda n=n: say(site, QUESTION, "k", f"side-{n}", "stream") for n in range(16)]
    assert {answer.text for answer in at_once(*calls)} == {ANSWER}


def test_a_worker_is_killed_and_a_retry_is_answered_once() -> None:
    with served() as site:
        with site.held():
            leave(site, QUESTION, "k", "1")
            os.kill(site.asked[0], signal.SIGKILL)
        assert say(site, QUESTION, "k", "1").json == {"answer": ANSWER}
        assert len(set(site.asked)) == 2
        assert questions(site, "1") == [QUESTION]


def test_a_second_message_is_refused_under_reject() -> None:
    def rejecting(files: dict[str, str]) -> None:
        slowly(files)
        policy, other = 'session_policy="queue", busy_timeout=60', 'session_policy="reject"'
        assert policy in files["app.py"]
        files["app.py"] = files["app.py"].replace(policy, other)

    with served(rejecting) as site, site.held():
        leave(site, QUESTION, "k", "1")
        assert say(site, "Another message", "other", "1").status == 409
        assert say(site, "Another message", "other", "1", "stream").status == 409
        assert questions(site, "1") == [QUESTION]


def test_a_run_without_a_client_is_finished_before_the_worker_ends() -> None:
    with served() as site:
        leave(site, QUESTION, "k", "1")
        site.server.stop()
        site.server.start()
        assert say(site, QUESTION, "k", "1").json == {"answer": ANSWER}
        assert len(site.asked) == 1
