"""The commands for branches and usage: tree, fork, rewind, diff, usage."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import at_a_terminal, turnlog
from tests.sample_items import user
from turnlog import StoredSession, Usage
from turnlog.items.json import Item
from turnlog.stores.sqlite import SQLiteStore


def answer(text: str) -> Item:
    return {"role": "assistant", "content": text}


@pytest.fixture
def store(tmp_path: Path) -> tuple[str, Path]:
    """Session "alice" with two turns on "main", a branch "try" with another second turn."""
    path = tmp_path / "s.db"

    async def fill() -> None:
        async with SQLiteStore(path) as store:
            session = StoredSession("alice", store)
            for text in ("one", "two"):
                async with session.turn(text) as turn:
                    await turn.add([answer(f"answer {text}")], usage=Usage(100, 10, requests=1))
            other = await session.fork("try", at=2)
            await other.add_items([user("zwei"), answer("Antwort")])

    asyncio.run(fill())
    return "--store", path


def lines(*arguments: object) -> list[dict[str, Any]]:
    status, out, err = turnlog(*arguments, "--json")
    assert status in (0, 4), err
    return [json.loads(line) for line in out.splitlines()]


def contents(store: tuple[str, Path], branch: str = "main") -> list[str]:
    shown = json.loads(turnlog("show", "alice", "--branch", branch, "--json", *store)[1])
    return [item["content"] for item in shown]


def test_tree_shows_each_branch_below_its_parent(store: tuple[str, Path]) -> None:
    assert turnlog("fork", "alice@try", "deep", *store) == (0, "deep\n", "")
    main, tried, deep = turnlog("tree", "alice", *store)[1].splitlines()
    assert main.startswith("main  2 turns, 4 items, ")
    assert tried.startswith("└── try  2 turns, 4 items, ")
    assert tried.endswith(", from main at #2")
    assert deep.strip().startswith("└── deep  2 turns, 4 items, ")


def test_tree_as_lines(store: tuple[str, Path]) -> None:
    main, tried = lines("tree", "alice", *store)
    assert main["v"] == 1
    assert (main["branch"], main["parent"], main["turns"]) == ("main", None, 2)
    assert (tried["branch"], tried["parent"], tried["position"]) == ("try", "main", 2)
    assert tried["created_at"].endswith("Z")


def test_a_tree_without_the_parent_of_a_branch(store: tuple[str, Path]) -> None:
    turnlog("fork", "alice@try", "deep", *store)

    async def delete() -> None:
        async with SQLiteStore(store[1]) as opened:
            await StoredSession("alice", opened).delete_branch("try")

    asyncio.run(delete())
    main, deep = turnlog("tree", "alice", *store)[1].splitlines()
    assert main.startswith("main")
    assert deep.startswith("deep")


def test_fork_copies_up_to_a_position(store: tuple[str, Path]) -> None:
    assert lines("fork", "alice", "short", "--at", 2, *store) == [
        {"v": 1, "session": "alice", "branch": "short"}
    ]
    assert contents(store, "short") == ["one", "answer one"]
    assert len(contents(store)) == 4


def test_fork_copies_what_comes_before_a_turn(store: tuple[str, Path]) -> None:
    assert turnlog("fork", "alice", "again", "--turn", 2, *store) == (0, "again\n", "")
    assert contents(store, "again") == ["one", "answer one"]


def test_fork_takes_a_turn_or_a_position_not_both(store: tuple[str, Path]) -> None:
    status, _, err = turnlog("fork", "alice", "b", "--turn", 2, "--at", 2, *store)
    assert status == 2
    assert "--at and --turn do not go together" in " ".join(err.split())


@pytest.mark.parametrize("item", [("--at", 3), ("--turn", 2)], ids=["at", "turn"])
def test_fork_opens_an_editor_on_an_item(
    store: tuple[str, Path], tmp_path: Path, item: tuple[str, int]
) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i s/two/three/ $1\n")
    os.chmod(editor, 0o755)  # noqa: PTH101, S103 - it has to be run
    done = turnlog("fork", "alice", "new", *item, "--edit", *store, EDITOR=str(editor))
    assert done == (0, "new\n", "")
    assert contents(store, "new") == ["one", "answer one", "three"]


@pytest.mark.parametrize(
    ("editor", "message"),
    [
        ("true", "nothing was changed"),
        ("sed -i s/{/[/", "no JSON object"),
        ("false", "the editor 'false' failed"),
        ("no-such-editor", "set $EDITOR"),
    ],
)
def test_what_an_editor_leaves_has_to_be_an_item(
    store: tuple[str, Path], editor: str, message: str
) -> None:
    done = turnlog("fork", "alice", "new", "--at", 3, "--edit", *store, EDITOR=editor)
    assert done[0] == 1
    assert message in done[2]
    assert len(lines("tree", "alice", *store)) == 2


def test_show_takes_a_branch_behind_the_id(store: tuple[str, Path]) -> None:
    assert "zwei" in turnlog("show", "alice@try", *store)[1]


def test_a_name_is_used_once(store: tuple[str, Path]) -> None:
    status, _, err = turnlog("fork", "alice", "try", *store)
    assert status == 1
    assert "already been used" in err


def test_rewind_drops_turns_and_keeps_them_as_a_branch(store: tuple[str, Path]) -> None:
    done = turnlog("rewind", "alice", "--turns", 1, "--keep-as", "kept", "--yes", *store)
    assert done == (0, "dropped 2 items behind #2; all of it is kept on branch kept\n", "")
    assert contents(store) == ["one", "answer one"]
    assert contents(store, "kept") == ["one", "answer one", "two", "answer two"]


def test_rewind_tells_what_would_go(store: tuple[str, Path]) -> None:
    status, out, _ = turnlog("rewind", "alice", "--to", 1, "--dry-run", *store)
    assert status == 0
    assert out.splitlines()[0] == "#2  assistant  answer one"
    assert out.splitlines()[-1] == "would drop 3 items behind #1"
    gone = lines("rewind", "alice", "--to", 1, "--dry-run", *store)
    assert [line["position"] for line in gone] == [2, 3, 4]
    assert gone[0]["item"] == answer("answer one")
    assert len(contents(store)) == 4


def test_rewind_asks_for_a_terminal_or_a_yes(store: tuple[str, Path]) -> None:
    status, _, err = turnlog("rewind", "alice", "--turns", 1, *store)
    assert (status, err) == (1, "turnlog: stdin is not a terminal; pass --yes\n")
    assert len(contents(store)) == 4


@pytest.mark.parametrize(("said", "left"), [("y", 2), ("n", 4), ("", 4)])
def test_rewind_does_as_it_is_answered(store: tuple[str, Path], said: str, left: int) -> None:
    with at_a_terminal("rewind", "alice", "--turns", "1", *store) as terminal:
        terminal.shows("Drop 2 items of alice, branch main? [y/N]: ")
        terminal.types(f"{said}\n")
        assert terminal.process.wait(60) == 0
    assert len(contents(store)) == left


def test_what_was_said_meanwhile_is_not_dropped(store: tuple[str, Path]) -> None:
    async def add() -> None:
        async with SQLiteStore(store[1]) as opened:
            await StoredSession("alice", opened).add_items([user("three")])

    with at_a_terminal("rewind", "alice", "--turns", "1", *store) as terminal:
        terminal.shows("[y/N]: ")
        asyncio.run(add())
        terminal.types("y\n")
        terminal.shows("try again")
        assert terminal.process.wait(60) == 5
    assert contents(store)[-1] == "three"


@pytest.mark.parametrize("where", [[], ["--to", 1, "--turns", 1], ["--turns", 0]])
def test_rewind_needs_one_place(store: tuple[str, Path], where: list[object]) -> None:
    assert turnlog("rewind", "alice", "--yes", *where, *store)[0] == 2
    assert len(contents(store)) == 4


def test_diff_of_what_is_alike(store: tuple[str, Path]) -> None:
    assert turnlog("diff", "alice", "@main", *store) == (0, "", "")
    assert turnlog("diff", "alice", "alice", "-q", *store) == (0, "", "")


def test_diff_shows_how_two_branches_go_on(store: tuple[str, Path]) -> None:
    status, out, _ = turnlog("diff", "alice", "@try", *store)
    assert status == 4
    heading, first, *rest = out.splitlines()
    assert heading == "alike up to #2, 1 whole turn"
    assert first.startswith("@@ #3 #")
    assert rest[:3] == [" user", "-two", "+zwei"]
    assert turnlog("diff", "alice", "alice@try", "-q", *store) == (4, "", "")
    stat = turnlog("diff", "alice", "alice@try", "--stat", *store)[1]
    assert stat == "2 changed, 0 only in A, 0 only in B\n"


def test_diff_as_lines(store: tuple[str, Path]) -> None:
    question, _ = lines("diff", "alice", "@try", *store)
    assert question["ours"]["item"]["content"] == "two"
    assert question["theirs"]["item"]["content"] == "zwei"
    assert question["same"] is False


def test_usage_per_turn_with_a_total(store: tuple[str, Path]) -> None:
    heading, first, second, total = turnlog("usage", "alice", *store)[1].splitlines()
    assert heading.split() == [
        "turn",
        "requests",
        "input",
        "output",
        "cached",
        "reasoning",
        "total",
    ]
    assert first.split() == ["1", "1", "100", "10", "0", "0", "110"]
    assert second.split()[0] == "2"
    assert total.split() == ["total", "2", "200", "20", "0", "0", "220"]


def test_usage_of_a_fork_counts_once_among_all_branches(store: tuple[str, Path]) -> None:
    [turn] = lines("usage", "alice@try", *store)
    assert (turn["turn"], turn["total_tokens"]) == (1, 110)
    assert sum(run["total_tokens"] for run in lines("usage", "alice", "--by", "run", *store)) == 220
    everywhere = lines("usage", "alice", "--by", "run", "--all", *store)
    assert sum(run["total_tokens"] for run in everywhere) == 220
    status, _, err = turnlog("usage", "alice", "--all", "--by", "turn", *store)
    assert status == 2
    assert "--by run" in err
    assert lines("usage", "alice", "--all", *store)[0]["total_tokens"] == 220


def test_usage_of_a_conversation_that_has_none(store: tuple[str, Path]) -> None:
    turnlog("fork", "alice", "empty", "--at", 0, *store)
    assert turnlog("usage", "alice@empty", *store)[1] == "no usage was recorded\n"


def test_an_id_with_an_at_sign(store: tuple[str, Path]) -> None:
    async def add(session_id: str) -> None:
        async with SQLiteStore(store[1]) as opened:
            await StoredSession(session_id, opened).add_items([user("x")])

    asyncio.run(add("alice@example.org"))
    assert turnlog("fork", "alice@example.org", "b", *store)[0] == 0
    asyncio.run(add("alice@try"))
    status, _, err = turnlog("usage", "alice@try", *store)
    assert status == 1
    assert "--branch" in err
    assert lines("usage", "alice", "--branch", "try", *store)[0]["total_tokens"] == 110
    assert turnlog("usage", "alice@try", "--branch", "main", *store)[0] == 0


@pytest.mark.parametrize(
    "command",
    [
        ("tree", "nobody"),
        ("fork", "nobody", "b"),
        ("fork", "alice@gone", "b"),
        ("fork", "alice", "b", "--at", "99"),
        ("fork", "alice", "b", "--at", "99", "--edit"),
        ("fork", "alice", "b", "--turn", "99"),
        ("fork", "alice", "b", "--turn", "99", "--edit"),
        ("rewind", "alice", "--branch", "gone", "--turns", "1", "-y"),
        ("rewind", "alice", "--to", "99", "-y"),
        ("diff", "alice", "@gone"),
        ("usage", "nobody"),
    ],
)
def test_what_is_not_there_has_a_status_of_its_own(
    store: tuple[str, Path], command: tuple[str, ...]
) -> None:
    status, out, err = turnlog(*command, *store)
    assert (status, out) == (3, "")
    assert err.startswith("turnlog: ")
