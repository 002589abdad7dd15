"""The guide to Django: its app under ASGI and WSGI keeps what the page promises."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import files_on
from tests.docs.guides.programs import SLOW, Answer, Site, at_once, printed, program, write_files

pytestmark = pytest.mark.slow

ANSWER = "I'll remember: your name is Alice and you love Python."
TOKEN = "t" * 32

# Logs a user in as a browser would be, and prints the cookie.
LOG_IN = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore

for name in sys.argv[1:]:
    user = User.objects.create_user(name)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print(session.session_key)
"""

WORKERS = ["--workers", "2"]
SERVERS: dict[str, Callable[[int], list[str]]] = {
    "uvicorn": lambda port: printed(
        "django", "uvicorn", "slow_asgi:application", "--port", str(port), *WORKERS
    ),
    "gunicorn": lambda port: printed(
        "django", "gunicorn", "slow_wsgi:application", "--bind", f"127.0.0.1:{port}", *WORKERS
    ),
}


def slowly(files: dict[str, str]) -> None:
    files["chat/__init__.py"] = ""
    for kind in ("asgi", "wsgi"):
        files[f"slow_{kind}.py"] = f"from {kind} import application\n" + SLOW.format(
            module="chat.views"
        )


def do(site: Site, *command: str) -> str:
    return subprocess.run(
        [sys.executable, *command],
        cwd=site.server.folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture(scope="module", params=SERVERS)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with program("django", SERVERS[request.param], change=slowly) as running:
        do(running, "manage.py", "migrate")
        for name, session in zip(
            ("alice", "bob"), do(running, "-c", LOG_IN, "alice", "bob").split(), strict=True
        ):
            running.cookies[name] = f"sessionid={session}; csrftoken={TOKEN}"
        yield running


def say(site: Site, text: str, key: str, chat: str, view: str = "ask") -> Answer:
    headers = {"Cookie": site.cookies["alice"], "X-CSRFToken": TOKEN, "Idempotency-Key": key}
    return site.post(f"/chats/{chat}/{view}", {"text": text}, **headers)


def questions(site: Site, chat: str, user: str = "alice") -> object:
    return site.get(f"/chats/{chat}/messages", Cookie=site.cookies[user]).json


def test_both_views_answer_and_remember(site: Site) -> None:
    told = say(site, "My name is Alice and I love Python", "a", "memory", "stream")
    assert (told.status, told.body) == (200, ANSWER)
    asked = say(site, "What's my name?", "b", "memory")
    assert asked.json == {"answer": "Your name is Alice."}
    assert questions(site, "memory") == {
        "questions": ["My name is Alice and I love Python", "What's my name?"]
    }
    listed = do(site, "manage.py", "conversations", "--user", "1")
    assert "       4  1/memory\n" in listed
    assert "memory" not in do(site, "manage.py", "conversations", "--user", "2")


def test_nobody_reads_the_chats_of_others(site: Site) -> None:
    say(site, "A secret", "a", "private")
    assert questions(site, "private", "bob") == {"questions": []}
    assert site.get("/chats/private/messages").status == 401
    assert site.get("/chats/1%2Fprivate/messages", Cookie=site.cookies["bob"]).status == 404


def test_a_message_that_is_sent_twice_at_once_is_answered_once(site: Site) -> None:
    before = len(site.asked)
    ask, stream = [
        lambda view=view: say(site, "My name is Alice", "k", "double", view)
        for view in ("ask", "stream")
    ]
    waited, streamed = at_once(ask, stream)
    assert waited.json == {"answer": streamed.body}
    assert len(site.asked) == before + 1
    assert questions(site, "double") == {"questions": ["My name is Alice"]}


def test_a_message_is_sent_again_after_the_client_went_away(site: Site) -> None:
    headers = {"Cookie": site.cookies["alice"], "X-CSRFToken": TOKEN, "Idempotency-Key": "k"}
    question = {"text": "My name is Alice and I love Python"}
    site.leave("/chats/away/stream", question, **headers)
    assert say(site, question["text"], "k", "away").json == {"answer": ANSWER}
    assert questions(site, "away") == {"questions": [question["text"]]}
    assert "       2  1/away\n" in do(site, "manage.py", "conversations")


def test_the_tests_on_the_page_pass(tmp_path: Path) -> None:
    write_files({**files_on("docs/guides/django.md"), "chat/__init__.py": ""}, tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", "manage.py", "test"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 2 tests" in done.stderr
