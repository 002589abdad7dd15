"""Each kind of item at the Conversations API: written, read, written again, and recognised."""

from typing import Any, get_args

import pytest
from openai.types.conversations import ConversationItem
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from pydantic import TypeAdapter

from tests.providers.conversation_items import ITEMS
from tests.providers.conversations_server import Fault, Server
from tests.sessions.conversations.conversations import Make, numbered
from turnlog import OpenAIConversationsSession
from turnlog.items.json import Item
from turnlog.sessions.conversations import retrying
from turnlog.sessions.conversations.forms import is_same, shown

pytestmark = pytest.mark.anyio

INPUT: TypeAdapter[Any] = TypeAdapter(ResponseInputItemParam)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST", 0.01)


def test_there_is_a_sample_of_each_kind() -> None:
    models = get_args(get_args(ConversationItem)[0])
    kinds = {kind for each in models for kind in get_args(each.model_fields["type"].annotation)}
    assert {item["type"] for item in ITEMS.values()} == kinds


@pytest.mark.parametrize("is_verbose", [False, True])
@pytest.mark.parametrize("name", ITEMS)
async def test_what_is_read_can_be_written_again(
    make: Make, server: Server, name: str, is_verbose: bool
) -> None:
    """The server is strict, and leaves out what it isn't asked for. Nothing else is lost."""
    server.is_verbose = is_verbose
    given = {**ITEMS[name], "created_by": "me", "provider_data": {"model": "x"}}
    first, second = make(), make()
    await first.add_items([given])
    [read] = await first.get_items()
    if read.get("role") != "assistant":  # whose type asks for an id, which names nothing elsewhere
        INPUT.validate_python(read)
    assert is_same(read, ITEMS[name])
    await second.add_items([read])
    assert await second.get_items() == [read]


@pytest.mark.parametrize("is_verbose", [False, True])
@pytest.mark.parametrize("name", ITEMS)
async def test_each_kind_is_recognised_after_a_lost_answer(
    session: OpenAIConversationsSession, server: Server, name: str, is_verbose: bool
) -> None:
    server.is_verbose = is_verbose
    await session.add_items(numbered(1))
    server.fail(Fault("cut", is_done=True))
    await session.add_items([ITEMS[name]])
    assert len(server.only.items) == 2
    server.fail(Fault("cut", is_done=False))
    await session.add_items([{**ITEMS["question"], "content": "again"}])
    assert len(server.only.items) == 3


THOUGHT: Item = {"type": "reasoning", "id": "rs_1", "summary": []}


@pytest.mark.parametrize(
    ("stored", "given", "expected"),
    [
        pytest.param({}, {}, True, id="the same id"),
        pytest.param({"id": "rs_2"}, {}, False, id="another id"),
        pytest.param({"encrypted_content": "a"}, {"encrypted_content": "b"}, True, id="id first"),
        pytest.param(
            {"id": "rs_2", "encrypted_content": "a"}, {"encrypted_content": "a"}, True, id="sealed"
        ),
        pytest.param(
            {"id": "rs_2", "encrypted_content": "a"},
            {"id": None, "encrypted_content": "b"},
            False,
            id="sealed otherwise",
        ),
        pytest.param({"id": "rs_2"}, {"id": None, "encrypted_content": "b"}, True, id="no id"),
    ],
)
def test_two_empty_thoughts(stored: Item, given: Item, expected: bool) -> None:
    assert is_same({**THOUGHT, **stored}, {**THOUGHT, **given}) is expected


async def test_another_thought_with_the_same_words_is_stored(
    session: OpenAIConversationsSession, server: Server, make: Make
) -> None:
    """While an answer is lost, another writer stores one."""
    await session.add_items(numbered(1))
    other = make(session.session_id)
    server.fail(Fault("cut"))

    def store(method: str, path: str) -> None:
        if method == "POST":
            server.before = lambda *_: None
            server.answer(method, path.split("/")[2:], {}, {"items": [{**THOUGHT, "id": "rs_2"}]})

    server.before = store
    await session.add_items([THOUGHT])
    assert [item["id"] for item in server.only.items[1:]] == ["rs_2", "rs_1"]
    assert len(await other.get_items()) == 3


async def test_a_reference_is_recognised_after_a_lost_answer(
    make: Make, session: OpenAIConversationsSession, server: Server
) -> None:
    await make().add_items([THOUGHT])
    await session.add_items(numbered(1))
    server.fail(Fault("cut", is_done=True))
    await session.add_items([{"type": "item_reference", "id": "rs_1"}])
    assert (await session.get_items())[1:] == [THOUGHT]


@pytest.mark.parametrize(
    ("kind", "role", "expected"),
    [
        ("text", "user", "input_text"),
        ("summary_text", "assistant", "output_text"),
        ("computer_screenshot", "user", "input_image"),
    ],
)
def test_parts_that_are_only_shown(kind: str, role: str, expected: str) -> None:
    item = shown({"type": "message", "role": role, "content": [{"type": kind, "text": "x"}]})
    assert item["content"] == [{"type": expected, "text": "x"}]
