"""The guide for those who come from LangChain: its program copies rows in LangChain's form."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.docs.blocks import files_on
from tests.docs.guides.programs import write_files
from turnlog.items.json import Item
from turnlog.sync import SQLiteSession

pytestmark = pytest.mark.slow

CALL = {"name": "weather", "args": {"city": "Oslo"}, "id": "call_1", "type": "tool_call"}
BROKEN = {"name": "weather", "args": '{"city": "O', "id": "call_2", "error": "no JSON"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_files(files_on("docs/guides/from-langchain.md"), tmp_path)
    run(tmp_path, "sample.py")
    return tmp_path


def run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "error", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def copy(folder: Path) -> str:
    done = run(folder, "from_langchain.py", "old.db", "new.db")
    return f"{done.returncode} {done.stdout}{done.stderr}"


def add(folder: Path, session_id: str, kind: str, **data: object) -> None:
    with closing(sqlite3.connect(folder / "old.db")) as database, database:
        row = (session_id, json.dumps({"type": kind, "data": data}))
        database.execute("INSERT INTO message_store (session_id, message) VALUES (?, ?)", row)


def items(folder: Path, session_id: str) -> list[Item]:
    return SQLiteSession(folder / "new.db", session_id=session_id).get_items()


def test_the_sample_is_copied_in_order(folder: Path) -> None:
    assert copy(folder) == "0 2 conversations, 6 items, 0 rows not copied\n"
    assert items(folder, "alice")[0] == {"role": "user", "content": "My name is Alice"}
    question, call, output, answer = items(folder, "bob")
    assert question["content"] == [{"type": "input_text", "text": "Weather in Oslo?"}]
    assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "Oslo"})
    assert (output["call_id"], output["output"]) == (call["call_id"], "Rain")
    assert answer["content"][0]["text"] == "It rains in Oslo."


def test_a_second_run_copies_only_what_is_new(folder: Path) -> None:
    copy(folder)
    add(folder, "alice", "human", content="And now?")
    assert copy(folder) == "0 2 conversations, 7 items, 0 rows not copied\n"
    assert [item["role"] for item in items(folder, "alice")] == ["user", "assistant", "user"]


def test_other_forms_of_messages(folder: Path) -> None:
    add(folder, "carol", "system", content="Answer briefly.")
    add(folder, "carol", "chat", content="Hello", role="user")
    parts = [{"type": "text", "text": "Look. "}, {"type": "tool_use", "id": "call_1"}, "See?"]
    add(folder, "carol", "AIMessageChunk", content=parts, tool_calls=[CALL])
    add(folder, "carol", "ai", content="", tool_calls=[], invalid_tool_calls=[BROKEN])
    add(folder, "carol", "human", content=["Who?", {"type": "text", "text": "is it"}, PICTURE])
    assert copy(folder).startswith("0 3 conversations")
    system, hello, said, call, broken, look = items(folder, "carol")
    assert (system["role"], hello["role"]) == ("system", "user")
    assert said["content"][0]["text"] == "Look. See?"
    assert call["call_id"] == "call_1"
    assert broken["arguments"] == '{"city": "O'
    assert [part["type"] for part in look["content"]][-1] == "input_image"


def test_rows_of_older_versions_have_their_calls_elsewhere(folder: Path) -> None:
    function = {"name": "weather", "arguments": '{"city": "Oslo"}'}
    called = {"id": "call_9", "type": "function", "function": function}
    add(folder, "dora", "human", content="Weather?")
    add(folder, "dora", "ai", content="", additional_kwargs={"tool_calls": [called]})
    add(folder, "dora", "tool", content="Rain", tool_call_id="call_9")
    assert copy(folder).startswith("0 3 conversations")
    [_, call, output] = items(folder, "dora")
    assert (call["name"], call["call_id"], output["call_id"]) == ("weather", "call_9", "call_9")


def test_rows_that_are_not_copied_are_named_and_counted(folder: Path) -> None:
    add(folder, "alice", "function", content="42", name="old")
    add(folder, "alice", "tool", content="an output of no call")
    told = copy(folder)
    assert told.startswith("1 2 conversations, 6 items, 2 rows not copied\n")
    assert "row 7 is not copied: KeyError" in told
    assert "row 8 is not copied: KeyError" in told


def test_another_number_of_items_is_an_error(folder: Path) -> None:
    copy(folder)
    SQLiteSession(folder / "new.db", session_id="alice").pop_item()
    assert "conversations with another number of items: ['alice']" in copy(folder)
