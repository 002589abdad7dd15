"""The command line, run in processes of its own."""

import asyncio
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.command_line import COMMAND, filled, one_of_each, turnlog
from tests.sample_items import answer, user
from turnlog import Log, __version__
from turnlog.cli.talking import remembered
from turnlog.stores.sqlite import SQLiteStore
from turnlog.testing.counting import Counting

pytestmark = pytest.mark.slow

CALL = {
    "type": "function_call",
    "call_id": "c1",
    "name": "weather",
    "arguments": '{"city": "Oslo"}',
}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "rain"}
REASONING = {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "hm"}]}


def test_a_conversation_survives_restarts(tmp_path: Path) -> None:
    store = ("--store", tmp_path / "chat.db", "--session", "alice")
    status, out, err = turnlog("chat", *store, says="My name is Alice and I love Python\n")
    assert (status, "Alice" in out) == (0, True)
    assert "not an LLM" in err
    assert "0 items remembered" in err
    status, out, err = turnlog("chat", *store, says="\n\nWhat's my name?\nexit\nnever said\n")
    assert (status, out) == (0, "Your name is Alice.\n")
    assert "2 items remembered" in err
    status, out, _ = turnlog("show", "alice", "--store", tmp_path / "chat.db", "--json")
    assert [item["role"] for item in json.loads(out)] == ["user", "assistant"] * 2


def test_the_store_is_a_file_here_unless_the_environment_names_another(tmp_path: Path) -> None:
    assert turnlog("chat", says="hello\n", cwd=tmp_path)[0] == 0
    assert (tmp_path / "conversations.db").exists()
    assert "default" in turnlog("ls", cwd=tmp_path)[1]
    other = one_of_each(tmp_path / "other.db", "alice")
    for named in (str(other), f"sqlite:///{other}"):
        out = turnlog("ls", "--json", cwd=tmp_path, TURNLOG_STORE=named)[1]
        assert [head["session"] for head in json.loads(out)] == ["alice"]


def test_the_command_is_there_as_a_module_and_tells_its_version() -> None:
    assert turnlog("--version") == (0, f"turnlog {__version__}\n", "")
    assert turnlog("ls", "--version")[0] == 2


def test_ls_lists_the_newest_change_first(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db", {f"user-{n}": [user("x")] * (n + 1) for n in range(5)})
    status, out, _ = turnlog("ls", "--store", path)
    lines = out.splitlines()
    assert status == 0
    assert [line.split()[:2] for line in lines[1:]] == [
        [f"user-{n}", str(n + 1)] for n in (4, 3, 2, 1, 0)
    ]
    _, out, _ = turnlog("ls", "--store", f"sqlite:///{path}", "--limit", "2", "--json")
    assert [head["session"] for head in json.loads(out)] == ["user-4", "user-3"]
    _, out, _ = turnlog("ls", "--store", path, "--prefix", "user-3", "--json")
    assert [(head["session"], head["items"]) for head in json.loads(out)] == [("user-3", 4)]
    assert turnlog("ls", "--store", path, "--prefix", "nobody")[1] == "no sessions\n"


def test_ls_pages_through_many(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db", {f"user-{n}": [user("x")] for n in range(450)})
    _, out, _ = turnlog("ls", "--store", path, "--limit", "0", "--json")
    assert [head["session"] for head in json.loads(out)] == [
        f"user-{n}" for n in reversed(range(450))
    ]


def test_show_is_readable(tmp_path: Path) -> None:
    items = [
        user("How is the weather?"),
        REASONING,
        CALL,
        OUTPUT,
        answer("Take an umbrella."),
        {"type": "odd", "x": [1]},
    ]
    path = filled(tmp_path / "s.db", {"alice": items})
    status, out, _ = turnlog("show", "alice", "--store", path)
    assert status == 0
    for text in (
        "user",
        "How is the weather?",
        "reasoning",
        "hm",
        "call of weather",
        '{"city": "Oslo"}',
        "output",
        "rain",
        "assistant",
        "Take an umbrella.",
        "odd",
    ):
        assert text in out
    assert turnlog("show", "alice", "--store", path, "--limit", "1")[1].startswith("odd")
    _, out, _ = turnlog("show", "alice", "--store", path, "--json")
    assert json.loads(out) == items
    assert len(out.splitlines()) == len(items) + 2
    assert turnlog("show", "alice", "--store", path, "--json", "--limit", "0")[1] == "[]\n"


def test_show_reads_a_long_conversation_page_by_page(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db", {"long": [user(f"line {n}") for n in range(1200)]})
    out = turnlog("show", "long", "--store", path)[1]
    assert [line for line in out.splitlines() if "line" in line] == [
        f"  line {n}" for n in range(1200)
    ]
    shown = json.loads(turnlog("show", "long", "--json", "--store", path)[1])
    assert shown == [user(f"line {n}") for n in range(1200)]


def test_show_ends_where_its_reader_has_seen_enough(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db", {"long": [user(f"line {n}") for n in range(5000)]})
    command = shlex.join([*COMMAND, "show", "long", "--store", str(path)])
    done = subprocess.run(  # noqa: S602 - a pipe of the shell is what is tried
        f"set -o pipefail; {command} | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        executable="/bin/bash",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "user\n", "")


def test_chat_does_not_read_what_it_does_not_show(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db", {"default": [user("x"), answer("y")]})

    async def read() -> int:
        async with Counting(SQLiteStore(path)) as store:
            assert await remembered(store, "default") == 2
            return store.records

    assert asyncio.run(read()) == 1


def test_contents_neither_move_the_cursor_nor_are_markup(tmp_path: Path) -> None:
    hostile = "a\x1b[2Jb\x07c\u202ed [bold red]e[/] [link=http://x]f"
    path = filled(tmp_path / "s.db", {"\x1b]0;title\x07": [user(hostile)]})
    for command in (("ls",), ("show", "\x1b]0;title\x07")):
        _, out, _ = turnlog(*command, "--store", path)
        assert not {"\x1b", "\x07", "\u202e"} & set(out)
    assert "a\\x1b[2Jb\\x07c\\u202ed [bold red]e[/] [link=http://x]f" in out


def test_show_reads_a_branch(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db", {"alice": [user("main")]})

    async def branch() -> None:
        async with SQLiteStore(path) as store:
            await store.append(Log("alice", "other"), [b'{"role":"user","content":"elsewhere"}'])

    asyncio.run(branch())
    assert "elsewhere" in turnlog("show", "alice", "--branch", "other", "--store", path)[1]
    status, _, err = turnlog("show", "alice", "--branch", "third", "--store", path)
    assert (status, err) == (3, "turnlog: there is no branch 'third' of session 'alice'\n")


def test_rm_deletes_what_is_named_and_asks_first(tmp_path: Path) -> None:
    path = one_of_each(tmp_path / "s.db", "a", "b", "c")
    status, _, err = turnlog("rm", "a", "--store", path)
    assert (status, err) == (
        1,
        "turnlog: stdin is not a terminal; pass --yes\n",
    )
    status, _, err = turnlog("rm", "a", "nobody", "--yes", "--store", path)
    assert (status, err) == (3, "turnlog: there is no session 'nobody'\n")
    status, out, _ = turnlog("rm", "a", "b", "--yes", "--store", path)
    assert (status, out) == (0, "deleted a\ndeleted b\n")
    assert [
        head["session"] for head in json.loads(turnlog("ls", "--json", "--store", path)[1])
    ] == ["c"]


def test_rm_deletes_a_session_that_has_only_a_branch(tmp_path: Path) -> None:
    path = one_of_each(tmp_path / "s.db", "alice")

    async def branches() -> int:
        async with SQLiteStore(path) as store:
            return len(await store.logs("bob"))

    async def branch() -> None:
        async with SQLiteStore(path) as store:
            await store.append(Log("bob", "other"), [b"{}"])

    asyncio.run(branch())
    assert turnlog("rm", "bob", "--yes", "--store", path)[1] == "deleted bob\n"
    assert asyncio.run(branches()) == 0


def test_the_demo_remembers() -> None:
    demo = ROOT / "examples" / "demo.py"
    done = subprocess.run([sys.executable, demo], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Your name is Alice." in done.stdout
    assert "not an LLM" in done.stdout


@pytest.mark.parametrize("server", ["postgres", "mariadb", "redis", "redis_cluster"])
def test_every_command_works_on_every_database(server: str, request: pytest.FixtureRequest) -> None:
    running = request.getfixturevalue(server)
    if server in {"postgres", "mariadb"}:
        url = running.url(running.fresh_database())
    else:
        url = f"{running.url}?prefix=cli-{server}"
    assert turnlog("chat", "--session", "a", "--store", url, says="I am Alice.\n")[0] == 0
    assert turnlog("ls", "--store", url)[1].splitlines()[1].split()[:2] == ["a", "2"]
    assert "Alice" in turnlog("show", "a", "--store", url)[1]
    assert turnlog("rm", "a", "--yes", "--store", url)[0] == 0
    assert "a" not in turnlog("ls", "--store", url)[1].split()
