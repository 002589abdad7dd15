"""Chat with a model behind OpenAI's API: streaming, and Ctrl-C in the middle of an answer."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import at_a_terminal, turnlog
from tests.providers.openai_server import Failing, Reply, Server, serving

pytestmark = pytest.mark.slow


def online(server: Server) -> dict[str, Any]:
    return {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.url, "TURNLOG_MODEL": "gpt-x"}


def stored(path: Path) -> list[Any]:
    found: list[Any] = json.loads(turnlog("show", "default", "--json", "--store", path)[1])
    return found


def test_a_model_with_a_key_answers(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with serving() as server:
        server.says(Reply(message={"content": "Hello Alice."}))
        status, out, err = turnlog("chat", "--store", path, says="I am Alice\n", **online(server))
    assert (status, out) == (0, "Hello Alice.\n")
    assert "The model is gpt-x." in err
    assert server.requests[0].body["tools"][0]["function"]["name"] == "current_time"
    assert [item["role"] for item in stored(path)] == ["user", "assistant"]


def test_ctrl_c_breaks_an_answer_off_and_the_conversation_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    go_on = threading.Event()
    with serving() as server:
        server.says(
            Reply(message={"content": "A long answer that is never heard."}, until=3, held=go_on),
            Reply(message={"content": "Here again."}),
        )
        with at_a_terminal("chat", "--store", path, **online(server)) as terminal:
            terminal.shows("you> ")
            terminal.types("tell me\n")
            while not server.requests:
                threading.Event().wait(0.01)
            threading.Event().wait(0.3)
            terminal.process.send_signal(2)
            terminal.shows("(stopped)")
            go_on.set()
            terminal.types("and now?\n")
            terminal.shows("Here again.")
            terminal.types("exit\n")
            assert terminal.process.wait(60) == 0
    assert [item["role"] for item in stored(path)] == ["user", "user", "assistant"]


def test_an_error_of_the_model_is_one_line_and_shows_no_key(tmp_path: Path) -> None:
    with serving() as server:
        server.says(Failing(401, message="Incorrect API key provided: sk-test"))
        status, out, err = turnlog(
            "chat", "--store", tmp_path / "c.db", says="hi\n", **online(server)
        )
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith("turnlog: the model failed: AuthenticationError: ")
    assert "sk-test" not in err
