"""Errors of the command line: one line, an exit status, and no traceback."""

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import COMMAND, filled, one_of_each, turnlog
from tests.sample_items import user

pytestmark = pytest.mark.slow


LOOKING = {
    "ls": ("ls",),
    "show": ("show", "a"),
    "tree": ("tree", "a"),
    "diff": ("diff", "a", "b"),
    "usage": ("usage", "a"),
    "compact": ("compact", "a", "--dry-run"),
    "rewind": ("rewind", "a", "--turns", "1", "--dry-run"),
    "rm": ("rm", "a", "--yes"),
    "fork": ("fork", "a", "b"),
}


@pytest.mark.parametrize("command", LOOKING)
@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "sqlite+aiosqlite:///{}"])
def test_looking_makes_no_store(tmp_path: Path, command: str, form: str) -> None:
    path = tmp_path / "missing.db"
    url = form.format(path)
    status, out, err = turnlog(*LOOKING[command], "--store", url)
    assert (status, out, err) == (1, "", f"turnlog: there is no store at {url}\n")
    assert not list(tmp_path.iterdir())


def test_asking_what_to_migrate_makes_no_store(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'missing.db'}"
    assert turnlog("migrate", "--store", url) == (1, "", f"turnlog: there is no store at {url}\n")
    assert not list(tmp_path.iterdir())
    assert turnlog("migrate", "--run", "--store", url)[0] == 0
    assert turnlog("migrate", "--store", url) == (0, "-- nothing is missing\n", "")


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes " * 500)
    for command in (("ls",), ("show", "a"), ("rm", "a", "--yes"), ("chat",)):
        status, _, err = turnlog(*command, "--store", path, says="hi\n")
        assert (status, err.splitlines()[-1]) == (1, f"turnlog: {path} is not a database")


@pytest.mark.parametrize("place", ["no/chat.db", "."])
def test_a_folder_that_is_missing_or_all_there_is_is_told(tmp_path: Path, place: str) -> None:
    status, _, err = turnlog("chat", "--store", tmp_path / place, says="hi\n")
    assert status == 1
    assert "can't be opened: no such folder, not a file, or access denied" in err


def test_an_unknown_scheme_is_a_mistake_in_the_command() -> None:
    status, _, err = turnlog("ls", "--store", "oracle://u:hunter2@host/db")
    assert status == 2
    assert "no store is known for oracle://" in " ".join(err.split())
    assert "hunter2" not in err


def test_a_locked_file_is_told(tmp_path: Path) -> None:
    path = one_of_each(tmp_path / "s.db", "alice")
    owner = sqlite3.connect(path, isolation_level=None)
    owner.execute("PRAGMA locking_mode = EXCLUSIVE")
    owner.execute("BEGIN EXCLUSIVE")
    try:
        for command in (("ls",), ("show", "alice"), ("rm", "alice", "--yes"), ("chat",)):
            status, _, err = turnlog(
                *command, "--store", f"sqlite:///{path}?timeout=0.2", says="hi\n"
            )
            assert status == 1
            assert "is locked by another program" in err.splitlines()[-1]
    finally:
        owner.close()


def test_a_newer_schema_is_told(tmp_path: Path) -> None:
    path = one_of_each(tmp_path / "s.db", "alice")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE turnlog_schema SET version = 99")
    db.close()
    status, _, err = turnlog("ls", "--store", path)
    assert status == 1
    assert "upgrade turnlog" in err


def test_a_reader_that_leaves_early_hears_no_complaint(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db", {"alice": [user("x" * 10_000)] * 50})
    command = [*COMMAND, "show", "alice", "--store", str(path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()


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
    assert done.stderr == "turnlog: the command line needs typer: pip install 'turnlog[cli]'\n"


@pytest.mark.parametrize("command", [("show", b"\xff"), ("ls", "--prefix", b"\xff")])
def test_an_id_that_no_store_can_hold_is_told(
    tmp_path: Path, command: tuple[str | bytes, ...]
) -> None:
    path = one_of_each(tmp_path / "s.db", "alice")
    status, out, err = turnlog(*command, "--store", path)
    assert (status, out) == (1, "")
    assert (
        err == "turnlog: an id, log name or key holds a lone surrogate, which UTF-8 can't encode\n"
    )


def test_a_terminal_that_cannot_show_a_character_is_given_its_code(tmp_path: Path) -> None:
    item = user("naïve 🙂")
    path = filled(tmp_path / "s.db", {"zoë": [item]})
    status, out, _ = turnlog("show", "zoë", "--store", path, PYTHONIOENCODING="ascii")
    assert (status, "na\\xefve \\U0001f642" in out) == (0, True)
    assert "zo\\xeb" in turnlog("ls", "--store", path, PYTHONIOENCODING="ascii")[1]
    status, out, _ = turnlog("show", "zoë", "--json", "--store", path, PYTHONIOENCODING="ascii")
    assert (status, json.loads(out)) == (0, [item])


def test_what_is_no_text_ends_no_chat(tmp_path: Path) -> None:
    store = ("--store", tmp_path / "c.db")
    status, out, _ = turnlog(
        "chat", *store, says=b"caf\xe9\nhello\n", PYTHONIOENCODING="utf-8:strict"
    )
    assert (status, len(out.splitlines())) == (0, 2)
    [item, *_] = json.loads(turnlog("show", "default", "--json", *store)[1])
    assert item["content"] == "caf\ufffd"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_fault(tmp_path: Path, closed: str) -> None:
    command = shlex.join([*COMMAND, "chat", "--store", str(tmp_path / "c.db")])
    done = subprocess.run(
        ["/bin/sh", "-c", f"echo hello | {command} {closed}"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@127.0.0.1:9/db",
        "mysql://user:hunter2@127.0.0.1:9/db",
        "redis://user:hunter2@127.0.0.1:9/0",
    ],
)
def test_a_server_that_is_away_is_told_in_a_line_without_the_password(url: str) -> None:
    status, out, err = turnlog("ls", "--store", url)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "127.0.0.1" in err
    assert "hunter2" not in err


def test_a_sidecar_that_is_away_is_not_waited_for_longer_than_a_server() -> None:
    status, _, err = turnlog("ls", "--store", "dapr://127.0.0.1:9/store", DAPR_HTTP_PORT="9")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("turnlog: Dapr at 127.0.0.1:9 can't be reached, tried for ")
    assert "timed out, after 2.0" in err
