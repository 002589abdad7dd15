"""Token counts: the estimate, tiktoken, and its absence."""

import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from tests.sample_items import call, user
from turnlog import (
    SessionSettings,
    SQLiteSession,
)
from turnlog.items import tokens
from turnlog.items.tokens import estimated_tokens, token_counter

pytestmark = pytest.mark.anyio


def test_the_estimate() -> None:
    assert estimated_tokens(user("")) == 4
    assert estimated_tokens(user("a" * 40)) == 14
    assert estimated_tokens(user("ü" * 20)) == 14
    assert estimated_tokens(user("\ud83d" * 4)) == 7
    assert estimated_tokens(call("look", 1)) == 4 + 2
    image = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 100_000}
    assert estimated_tokens({"role": "user", "content": [image]}) == 1004
    assert estimated_tokens({"role": "user", "content": [{**image, "detail": "low"}]}) == 89
    looked = {"type": "computer_screenshot", "image_url": image["image_url"]}
    assert estimated_tokens({"type": "computer_call_output", "output": looked}) == 1004


@pytest.fixture
def fresh() -> Iterator[None]:
    token_counter.cache_clear()
    yield
    token_counter.cache_clear()


def tiktoken(get_encoding: Callable[[str], object]) -> ModuleType:
    module = ModuleType("tiktoken")
    module.get_encoding = get_encoding  # type: ignore[attr-defined]
    return module


class Words:
    """An encoding that has a token for each word."""

    def encode_ordinary(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]


@pytest.mark.usefixtures("fresh")
async def test_tiktoken_counts_if_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", tiktoken(lambda _: Words()))
    assert token_counter()(user("one two three")) == 7
    session = SQLiteSession("s", settings=SessionSettings(max_tokens=14))
    await session.add_items([user("one two three"), user("one two three"), user("one two three")])
    assert len(await session.view()) == 2


@pytest.mark.usefixtures("fresh")
async def test_without_tiktoken_tokens_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert token_counter() is estimated_tokens


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("hangs", [False, True])
async def test_when_tiktoken_has_no_table_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, hangs: bool
) -> None:
    end = threading.Event()

    def fetch(_: str) -> object:
        if hangs:
            end.wait()
        raise OSError("no network")

    monkeypatch.setattr(tokens, "_SECONDS_TO_LOAD", 0.05 if hangs else 200)
    monkeypatch.setitem(sys.modules, "tiktoken", tiktoken(fetch))
    assert token_counter() is estimated_tokens
    assert ("no answer in" if hangs else "OSError") in caplog.text
    end.set()
