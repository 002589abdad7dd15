"""The guide to FastAPI: its program, behind real servers, keeps what the page promises."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.docs.examples import parts
from tests.docs.guides.programs import SLOW, Answer, Site, at_once, printed, program

pytestmark = pytest.mark.slow


def bound(port: int) -> list[str]:
    return ["--bind", f"127.0.0.1:{port}"]


ALICE = {"Authorization": "Bearer token-of-alice"}
ANSWER = "I'll remember: your name is Alice and you love Python."


def uvicorn(workers: int) -> Callable[[int], list[str]]:
    def make(port: int) -> list[str]:
        options = ["--workers", str(workers), "--port", str(port)]
        return printed("fastapi", "uvicorn", "slow:app", *options)

    return make


def slowly(files: dict[str, str]) -> None:
    files["slow.py"] = SLOW.format(module="app")


def served(
    workers: int = 1, change: Callable[[dict[str, str]], None] = slowly
) -> AbstractContextManager[Site]:
    return program("fastapi", uvicorn(workers), change=change)


def say(site: Site, text: str, key: str, chat: str = "1", **headers: str) -> Answer:
    asked = {**ALICE, "Idempotency-Key": key, **headers}
    return site.post(f"/chats/{chat}/messages", {"text": text}, **asked)


def leave(site: Site, text: str, key: str, chat: str = "1") -> None:
    headers = {**ALICE, "Idempotency-Key": key}
    site.leave(f"/chats/{chat}/messages", {"text": text}, **headers)


def stored(site: Site, chat: str = "1") -> list[dict[str, str]]:
    answer = site.get(f"/chats/{chat}/messages", **ALICE).json
    assert isinstance(answer, list)
    return answer


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served(workers=2) as running:
        yield running


def test_answers_stream_and_are_remembered(site: Site) -> None:
    answer = say(site, "My name is Alice and I love Python", "a", "memory")
    assert (answer.status, answer.headers["content-type"]) == (
        200,
        "text/event-stream; charset=utf-8",
    )
    assert answer.events[-1] == ("done", "")
    assert len(answer.events) > 3
    assert answer.text == ANSWER
    assert say(site, "What's my name?", "b", "memory").text == "Your name is Alice."
    texts = [message["text"] for message in stored(site, "memory")]
    assert texts == [
        "My name is Alice and I love Python",
        ANSWER,
        "What's my name?",
        "Your name is Alice.",
    ]
    assert "memory" in str(site.get("/chats", **ALICE).body)


def test_nobody_reads_the_chats_of_others(site: Site) -> None:
    say(site, "A secret", "a", "private")
    bob = {"Authorization": "Bearer token-of-bob"}
    assert site.get("/chats/private/messages", **bob).json == []
    assert site.get("/chats", **bob).json == []
    assert site.get("/chats/private/messages", Authorization="Bearer guessed").status == 401
    assert site.get("/chats/alice%2Fprivate/messages", **bob).status == 404
    assert site.get("/chats/alice.private/messages", **bob).status == 422


def test_a_message_that_is_sent_twice_at_once_is_answered_once(site: Site) -> None:
    before = len(site.asked)
    answers = at_once(*[lambda: say(site, "My name is Alice", "k", "double")] * 3)
    assert {answer.text for answer in answers} == {"I'll remember: your name is Alice."}
    assert len(site.asked) == before + 1
    assert len(stored(site, "double")) == 2


def test_a_key_that_comes_back_with_another_text_is_refused(site: Site) -> None:
    say(site, "My name is Alice", "k", "other")
    assert say(site, "My name is Bob", "k", "other").status == 422
    assert len(stored(site, "other")) == 2


def test_a_run_whose_client_went_away_ends_and_a_retry_gets_its_answer(site: Site) -> None:
    before = len(site.asked)
    leave(site, "My name is Alice and I love Python", "k", "away")
    answer = say(site, "My name is Alice and I love Python", "k", "away")
    assert answer.events == [("delta", ANSWER), ("done", "")]
    assert len(site.asked) == before + 1
    assert len(stored(site, "away")) == 2


def test_a_worker_is_killed_and_a_retry_is_answered_once() -> None:
    with served(workers=2) as site:
        with site.held():
            leave(site, "My name is Alice and I love Python", "k")
            os.kill(site.asked[0], signal.SIGKILL)
        assert say(site, "My name is Alice and I love Python", "k").text == ANSWER
        assert len(set(site.asked)) == 2
        assert len(stored(site)) == 2


def test_a_run_without_a_client_is_finished_before_the_server_ends() -> None:
    with served() as site:
        leave(site, "My name is Alice and I love Python", "k")
        site.server.stop()
        site.server.start()
        assert [message["text"] for message in stored(site)][1:] == [ANSWER]


def test_a_run_is_cancelled_with_the_other_function() -> None:
    def cancelling(files: dict[str, str]) -> None:
        slowly(files)
        [cancels] = [code for code in parts().values() if "is cancelled if the client" in code]
        files["app.py"] += f"\n\n{cancels}"

    with served(change=cancelling) as site:
        with site.held():
            leave(site, "My name is Alice and I love Python", "k")
            site.server.stop()  # waits for what is under way
        site.server.start()
        assert [message["role"] for message in stored(site)] == ["user"]
        assert say(site, "My name is Alice and I love Python", "k").text == ANSWER
        assert [message["role"] for message in stored(site)] == ["user", "assistant"]


def test_a_second_message_is_refused_under_reject() -> None:
    def rejecting(files: dict[str, str]) -> None:
        slowly(files)
        assert 'session_policy="queue", busy_timeout=60' in files["app.py"]
        files["app.py"] = files["app.py"].replace(
            'session_policy="queue", busy_timeout=60', 'session_policy="reject"'
        )

    with served(change=rejecting) as site, site.held():
        leave(site, "My name is Alice and I love Python", "k")
        assert say(site, "Another message", "other").status == 409
        assert say(site, "My name is Alice and I love Python", "k").status == 409
        assert len(stored(site)) == 1


def test_gunicorn_with_preload_serves_it_as_well() -> None:
    def make(port: int) -> list[str]:
        return printed("fastapi", "gunicorn", "slow:app", "--workers", "2", *bound(port))

    with program("fastapi", make, change=slowly) as site:
        leave(site, "My name is Alice and I love Python", "k")
        answers = at_once(*[lambda: say(site, "My name is Alice and I love Python", "k")] * 4)
        assert {answer.text for answer in answers} == {ANSWER}
        assert len(stored(site)) == 2
