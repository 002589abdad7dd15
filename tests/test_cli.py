"""The command line, in processes of its own."""

import asyncio
import json
import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from turnlog import Log, SQLiteSession
from turnlog.items import Item
from turnlog.stores.sqlite import SQLiteStore


def turnlog(*arguments: object, says: str = "", cwd: Path | None = None) -> tuple[int, str, str]:
    """Run a command; its exit status, what it printed, and its complaints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "turnlog.cli", *map(str, arguments)],
        input=says,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        cwd=cwd,
        check=False,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TZ": "UTC"},
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def _filled(path: Path, sessions: dict[str, list[Item]]) -> Path:
    async def fill() -> None:
        store = None
        for session_id, items in sessions.items():
            session = SQLiteSession(session_id, path)
            await session.add_items(items)
            store = session.store
        if store is not None:
            await store.aclose()

    asyncio.run(fill())
    return path


def _user(text: str) -> Item:
    return {"role": "user", "content": text}


CALL = {
    "type": "function_call",
    "call_id": "c1",
    "name": "weather",
    "arguments": '{"city": "Oslo"}',
}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "rain"}
REASONING = {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "hm"}]}
ANSWER = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Take an umbrella."}],
}


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


def test_the_store_defaults_to_a_file_here_and_to_the_environment(tmp_path: Path) -> None:
    assert turnlog("chat", says="hello\n", cwd=tmp_path)[0] == 0
    assert (tmp_path / "turnlog.db").exists()
    assert "default" in turnlog("ls", cwd=tmp_path)[1]


def test_ls_lists_the_newest_change_first(tmp_path: Path) -> None:
    path = _filled(tmp_path / "s.db", {f"user-{n}": [_user("x")] * (n + 1) for n in range(5)})
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
    path = _filled(tmp_path / "s.db", {f"user-{n}": [_user("x")] for n in range(450)})
    _, out, _ = turnlog("ls", "--store", path, "--limit", "0", "--json")
    assert [head["session"] for head in json.loads(out)] == [
        f"user-{n}" for n in reversed(range(450))
    ]


def test_show_is_readable(tmp_path: Path) -> None:
    items = [
        _user("How is the weather?"),
        REASONING,
        CALL,
        OUTPUT,
        ANSWER,
        {"type": "odd", "x": [1]},
    ]
    path = _filled(tmp_path / "s.db", {"alice": items})
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


def test_contents_neither_move_the_cursor_nor_are_markup(tmp_path: Path) -> None:
    hostile = "a\x1b[2Jb\x07c\u202ed [bold red]e[/] [link=http://x]f"
    path = _filled(tmp_path / "s.db", {"\x1b]0;title\x07": [_user(hostile)]})
    for command in (("ls",), ("show", "\x1b]0;title\x07")):
        _, out, _ = turnlog(*command, "--store", path)
        assert not {"\x1b", "\x07", "\u202e"} & set(out)
    assert "a\\x1b[2Jb\\x07c\\u202ed [bold red]e[/] [link=http://x]f" in out


def test_show_reads_a_branch(tmp_path: Path) -> None:
    path = _filled(tmp_path / "s.db", {"alice": [_user("main")]})

    async def branch() -> None:
        async with SQLiteStore(path) as store:
            await store.append(Log("alice", "other"), [b'{"role":"user","content":"elsewhere"}'])

    asyncio.run(branch())
    assert "elsewhere" in turnlog("show", "alice", "--branch", "other", "--store", path)[1]
    status, _, err = turnlog("show", "alice", "--branch", "third", "--store", path)
    assert (status, err) == (1, "turnlog: there is no branch 'third' of session 'alice'\n")


def test_rm_deletes_what_is_named_and_asks_first(tmp_path: Path) -> None:
    path = _filled(tmp_path / "s.db", {name: [_user("x")] for name in ("a", "b", "c")})
    status, _, err = turnlog("rm", "a", "--store", path)
    assert (status, err) == (1, "turnlog: nobody is there to ask: say --yes\n")
    status, _, err = turnlog("rm", "a", "nobody", "--yes", "--store", path)
    assert (status, err) == (1, "turnlog: there is no session 'nobody'\n")
    status, out, _ = turnlog("rm", "a", "b", "--yes", "--store", path)
    assert (status, out) == (0, "deleted a\ndeleted b\n")
    assert [
        head["session"] for head in json.loads(turnlog("ls", "--json", "--store", path)[1])
    ] == ["c"]


@pytest.mark.parametrize("command", [("ls",), ("show", "a"), ("rm", "a", "--yes")])
def test_looking_makes_no_store(tmp_path: Path, command: tuple[str, ...]) -> None:
    path = tmp_path / "missing.db"
    status, out, err = turnlog(*command, "--store", path)
    assert (status, out, err) == (1, "", f"turnlog: there is no store at {path}\n")
    assert not path.exists()


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes " * 500)
    for command in (("ls",), ("show", "a"), ("rm", "a", "--yes"), ("chat",)):
        status, _, err = turnlog(*command, "--store", path, says="hi\n")
        assert (status, err.splitlines()[-1]) == (1, f"turnlog: {path} is not a database")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    status, _, err = turnlog("chat", "--store", tmp_path / "no" / "chat.db", says="hi\n")
    assert status == 1
    assert "can't be opened: its folder is missing or not yours to use" in err


def test_an_unknown_scheme_is_a_mistake_in_the_command() -> None:
    status, _, err = turnlog("ls", "--store", "oracle://u:hunter2@host/db")
    assert status == 2
    assert "no store is known for oracle://" in " ".join(err.split())
    assert "hunter2" not in err


def test_a_locked_file_is_told(tmp_path: Path) -> None:
    path = _filled(tmp_path / "s.db", {"alice": [_user("x")]})
    owner = sqlite3.connect(path, isolation_level=None)
    owner.execute("PRAGMA locking_mode = EXCLUSIVE")
    owner.execute("BEGIN EXCLUSIVE")
    try:
        for command in (("ls",), ("chat",)):
            status, _, err = turnlog(
                *command, "--store", f"sqlite:///{path}?timeout=0.2", says="hi\n"
            )
            assert status == 1
            assert "is locked by another program" in err.splitlines()[-1]
    finally:
        owner.close()


def test_a_newer_schema_is_told(tmp_path: Path) -> None:
    path = _filled(tmp_path / "s.db", {"alice": [_user("x")]})
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE turnlog_schema SET version = 99")
    db.close()
    status, _, err = turnlog("ls", "--store", path)
    assert status == 1
    assert "upgrade turnlog" in err


def test_a_reader_that_leaves_early_hears_no_complaint(tmp_path: Path) -> None:
    path = _filled(tmp_path / "s.db", {"alice": [_user("x" * 10_000)] * 50})
    command = [sys.executable, "-m", "turnlog.cli", "show", "alice", "--store", str(path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()


def test_at_a_terminal_there_is_a_prompt_and_ctrl_c_leaves(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "turnlog.cli", "chat", "--store", str(tmp_path / "c.db")]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    ) as chat:
        os.close(theirs)
        _read_until(ours, "you> ")
        os.write(ours, b"My name is Alice\n")
        _read_until(ours, "your name is Alice.\r\nyou> ")
        _interrupt(chat)
    os.close(ours)
    assert (
        turnlog("chat", "--store", tmp_path / "c.db", says="Who am I?\n")[1]
        == "Your name is Alice.\n"
    )


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C until it is heard: Python may miss one right before it waits for a line."""
    try:
        for _ in range(40):
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(0.5) == 0
            except subprocess.TimeoutExpired:
                continue
            return
        raise AssertionError("Ctrl-C did not end it")
    finally:
        process.kill()


def _read_until(descriptor: int, text: str) -> None:
    seen = ""
    while text not in seen:
        ready, _, _ = select.select([descriptor], [], [], 20)
        assert ready, seen
        seen += os.read(descriptor, 4096).decode()


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('no typer', name='typer')\n")
    done = subprocess.run(
        [sys.executable, "-c", "from turnlog.cli import main; main()"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stderr == "turnlog: the command line needs an extra: pip install 'turnlog[cli]'\n"


def test_the_demo_remembers() -> None:
    demo = Path(__file__).parent.parent / "examples" / "demo.py"
    done = subprocess.run([sys.executable, demo], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Your name is Alice." in done.stdout
    assert "not an LLM" in done.stdout
