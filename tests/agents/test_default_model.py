"""The default model of an agent without a model, or with the name of one."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from agents.models.default_models import get_default_model

from tests import ROOT
from tests.fake_models import Echo
from tests.providers.openai_server import Reply, Server, serving
from turnlog import (
    Agent,
    OfflineModel,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    SQLiteSession,
)
from turnlog.agents import model_names as names
from turnlog.agents import resolve_model
from turnlog.agents.models.openai import client as openai_client


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")


@pytest.fixture
def server(key: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server


def meant(model: str | None = None) -> tuple[type, str | None]:
    found = resolve_model(model)
    return type(found), getattr(found, "model", None)


def test_without_a_key_the_offline_model_answers_and_says_once_that_it_is_no_llm(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    names._offline.cache_clear()
    monkeypatch.setenv("TURNLOG_MODEL", "gpt-x")
    for value in (None, ""):
        if value is not None:
            monkeypatch.setenv("OPENAI_API_KEY", value)
        assert meant() == (OfflineModel, None)
    [said] = caplog.records
    assert said.levelno == logging.WARNING
    assert "not an LLM" in said.message
    assert "OPENAI_API_KEY" in said.message


@pytest.mark.usefixtures("key")
def test_with_a_key_the_environment_names_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    assert meant() == (OpenAIResponsesModel, get_default_model())
    monkeypatch.setenv("OPENAI_DEFAULT_MODEL", "gpt-default")
    assert meant() == (OpenAIResponsesModel, "gpt-default")
    monkeypatch.setenv("TURNLOG_MODEL", "gpt-ours")
    assert meant() == (OpenAIResponsesModel, "gpt-ours")
    monkeypatch.setenv("TURNLOG_MODEL", "")
    assert meant() == (OpenAIResponsesModel, "gpt-default")


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (None, OpenAIResponsesModel),
        ("", OpenAIResponsesModel),
        ("https://api.openai.com/v1", OpenAIResponsesModel),
        ("https://eu.api.openai.com/v1", OpenAIResponsesModel),
        ("https://api.openai.com.example.org/v1", OpenAIChatCompletionsModel),
        ("https://notapi.openai.com/v1", OpenAIChatCompletionsModel),
        ("http://127.0.0.1:11434/v1", OpenAIChatCompletionsModel),
    ],
)
def test_the_address_decides_which_api_is_asked(
    address: str | None, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    if address is not None:
        monkeypatch.setenv("OPENAI_BASE_URL", address)
    monkeypatch.setenv("TURNLOG_MODEL", "gpt-x")
    assert meant() == meant("gpt-x") == (kind, "gpt-x")


def test_names_are_written_as_in_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    assert meant("openai/gpt-4.1") == (OpenAIResponsesModel, "gpt-4.1")
    with pytest.raises(ValueError, match=r"litellm/a/b.*OPENAI_BASE_URL.*base_url"):
        resolve_model("litellm/a/b")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://openrouter.example/api/v1")
    assert meant("openai/gpt-4.1") == (OpenAIChatCompletionsModel, "openai/gpt-4.1")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.anyio
async def test_an_agent_without_a_model_asks_the_one_that_the_environment_names(
    server: Server, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    monkeypatch.setenv("TURNLOG_MODEL", "gpt-ours")
    server.says(Reply(message={"content": "Hello Alice."}))
    session = SQLiteSession("user")
    if streamed:
        result = Runner.run_streamed(Agent("A"), "I am Alice", session=session)
        async for _ in result.stream_events():
            pass
        assert result.final_output == "Hello Alice."
    else:
        done = await Runner.run(Agent("A"), "I am Alice", session=session)
        assert done.final_output == "Hello Alice."
    [request] = server.requests
    assert (request.path, request.body["model"]) == ("/v1/chat/completions", "gpt-ours")
    assert request.headers["authorization"] == "Bearer sk-test"
    assert len(await session.get_items()) == 2


@pytest.mark.anyio
async def test_models_that_are_given_win(server: Server) -> None:
    echo = Echo()
    assert (await Runner.run(Agent("A", model=echo), "hi")).final_output == "saw 1"
    config = RunConfig(model=echo)
    assert (await Runner.run(Agent("A"), "hi", run_config=config)).final_output == "saw 1"
    assert (await Runner.run(Agent("A", model=OfflineModel()), "hi")).final_output
    assert not server.requests
    server.says(*[Reply(message={"content": "x"})] * 2)
    await Runner.run(Agent("A", model="of the agent"), "hi")
    await Runner.run(Agent("A", model=echo), "hi", run_config=RunConfig(model="of the run"))
    assert [sent.body["model"] for sent in server.requests] == ["of the agent", "of the run"]


@pytest.mark.usefixtures("key")
@pytest.mark.anyio
async def test_an_empty_address_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    client = await openai_client.default_client()
    assert str(client.base_url) == "https://api.openai.com/v1/"


def test_a_key_without_the_extra_is_an_error_that_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['openai'] = None; import turnlog; "
        "turnlog.Runner.run_sync(turnlog.Agent('A'), 'hi')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OPENAI_API_KEY": "sk-very-secret"},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("ImportError: OPENAI_API_KEY is set")
    assert last.endswith("pip install 'turnlog[openai]'")
    assert "sk-very-secret" not in done.stderr


@pytest.mark.slow
def test_the_demo_asks_a_real_model_where_there_is_one() -> None:
    with serving() as server:
        for answer in ("Hello Alice.", "You are Alice."):
            server.says(Reply(message={"content": answer}))
        online = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.url, "TURNLOG_MODEL": "gpt-x"}
        done = demo(online)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The model is gpt-x.\n")
    assert "process 2, agent: You are Alice.\n" in done.stdout
    assert [sent.body["model"] for sent in server.requests] == ["gpt-x"] * 2
    assert len(server.requests[1].body["messages"]) == 4, "instructions and three of the talk"


@pytest.mark.slow
def test_the_demo_needs_no_model() -> None:
    done = demo({})
    assert done.returncode == 0, done.stderr
    assert "not an LLM" in done.stdout
    assert "process 2, agent: Your name is Alice.\n" in done.stdout


def demo(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_callers_environment_is_kept_from_the_tests() -> None:
    """Else a key in the caller's shell would make tests ask a real model."""
    names = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_DEFAULT_MODEL", "TURNLOG_MODEL"]
    code = f"import os, tests.conftest; print([name for name in {names} if name in os.environ])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **dict.fromkeys(names, "x")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
