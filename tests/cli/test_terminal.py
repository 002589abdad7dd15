"""The command line at a terminal: prompts, questions, the pager, Ctrl-C and Ctrl-D."""

import json
from pathlib import Path

import pytest

from tests.command_line import at_a_terminal, filled, one_of_each, turnlog
from tests.sample_items import user

pytestmark = pytest.mark.slow


def test_ctrl_c_leaves_a_chat_and_what_was_said_stays(tmp_path: Path) -> None:
    store = ("--store", tmp_path / "c.db")
    with at_a_terminal("chat", *store) as terminal:
        terminal.shows("you> ")
        terminal.types("My name is Alice\n")
        terminal.shows("your name is Alice.\r\nyou> ")
        assert terminal.interrupted() == 0
    assert turnlog("chat", *store, says="Who am I?\n")[1] == "Your name is Alice.\n"


@pytest.mark.parametrize("end", ["\x04", "exit\n", "quit\n"])
def test_a_chat_ends(tmp_path: Path, end: str) -> None:
    with at_a_terminal("chat", "--store", tmp_path / "c.db") as terminal:
        terminal.shows("you> ")
        terminal.types(end)
        assert terminal.process.wait(60) == 0


@pytest.mark.parametrize(("answer", "left"), [("y", ["b"]), ("n", ["a", "b"]), ("", ["a", "b"])])
def test_rm_does_as_it_is_answered(tmp_path: Path, answer: str, left: list[str]) -> None:
    store = ("--store", one_of_each(tmp_path / "s.db", "a", "b"))
    with at_a_terminal("rm", "a", *store) as terminal:
        terminal.shows("Delete session a with 1 items? [y/N]: ")
        terminal.types(f"{answer}\n")
        assert terminal.process.wait(60) == 0
    heads = json.loads(turnlog("ls", "--json", *store)[1])
    assert sorted(head["session"] for head in heads) == left


def test_ctrl_c_at_a_later_question_deletes_nothing(tmp_path: Path) -> None:
    store = ("--store", one_of_each(tmp_path / "s.db", "a", "b"))
    with at_a_terminal("rm", "a", "b", *store) as terminal:
        terminal.shows("[y/N]: ")
        terminal.types("y\n")
        terminal.shows("Delete session b")
        assert terminal.interrupted() == 1
    assert len(json.loads(turnlog("ls", "--json", *store)[1])) == 2


def test_only_what_is_longer_than_the_screen_is_paged(tmp_path: Path) -> None:
    sessions = {"short": [user("x")], "long": [user(f"line {n}") for n in range(50)]}
    path = filled(tmp_path / "s.db", sessions)
    with at_a_terminal("show", "long", "--store", path, PAGER="sed s/^/paged:/") as terminal:
        assert "paged:  line 0" in terminal.shows("line 49")
    with at_a_terminal("show", "short", "--store", path, PAGER="sed s/^/paged:/") as terminal:
        assert "paged:" not in terminal.shows("x")


def test_no_prompt_gets_into_a_file(tmp_path: Path) -> None:
    answers = tmp_path / "answers.txt"
    with (
        answers.open("wb") as file,
        at_a_terminal("chat", "--store", tmp_path / "c.db", into=file) as terminal,
    ):
        terminal.shows("items remembered.")
        terminal.types("hello\nexit\n")
        assert terminal.process.wait(60) == 0
    assert answers.read_text() == "I'll remember that you said so.\n"
