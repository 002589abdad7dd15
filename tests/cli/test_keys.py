"""Key files on the command line: `turnlog keygen`, --key-file and TURNLOG_KEY_FILE."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.command_line import turnlog
from tests.sample_items import answer, user
from turnlog import Encrypted, Keyring, StoredSession
from turnlog.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.slow


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A key file."""
    path = tmp_path / "keys.json"
    assert turnlog("keygen", path, "--id", "2026-10")[0] == 0
    return path


@pytest.fixture
def store(tmp_path: Path, keys: Path) -> Path:
    """An encrypted store with one conversation, which has a title and two branches."""
    path = tmp_path / "chat.db"

    async def fill() -> None:
        async with Encrypted(SQLiteStore(path), Keyring.from_file(keys)) as store:
            session = StoredSession("alice", store)
            await session.add_items([user("a canary"), answer("sings")])
            await session.describe(title="birds")
            await session.fork("other")

    asyncio.run(fill())
    return path


def _stored_keys(path: Path) -> list[str]:
    return list(json.loads(path.read_text())["keys"].values())


def test_a_key_file_is_made_private_and_only_ids_are_printed(keys: Path) -> None:
    assert keys.stat().st_mode & 0o777 == 0o600
    before = json.loads(keys.read_text())
    status, out, err = turnlog("keygen", keys, "--id", "2026-11")
    assert (status, out) == (0, "2026-10  primary\n2026-11  new\n")
    assert f"when all have it: turnlog keygen {keys} --id 2026-11 --primary" in err
    after = json.loads(keys.read_text())
    assert after["primary"] == "2026-10"
    assert after["keys"]["2026-10"] == before["keys"]["2026-10"]
    assert not any(key in out + err for key in _stored_keys(keys))


def test_a_key_becomes_the_primary_one_later(keys: Path) -> None:
    turnlog("keygen", keys, "--id", "2026-11")
    before = _stored_keys(keys)
    status, out, err = turnlog("keygen", keys, "--id", "2026-11", "--primary")
    assert (status, out) == (0, "2026-10\n2026-11  primary\n")
    assert "2026-11 encrypts what is new" in err
    assert _stored_keys(keys) == before
    assert turnlog("keygen", keys, "--id", "b", "--primary")[1].endswith("b  primary  new\n")


def test_no_key_is_ever_overwritten(keys: Path) -> None:
    before = keys.read_bytes()
    status, out, err = turnlog("keygen", keys, "--id", "2026-10")
    assert (status, out) == (1, "")
    assert "has a key '2026-10', and it was not changed: choose another --id" in err
    assert keys.read_bytes() == before


def test_without_an_id_the_month_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    for _ in range(3):
        assert turnlog("keygen", path)[0] == 0
    first, *more = json.loads(path.read_text())["keys"]
    assert more == [f"{first}.2", f"{first}.3"]


@pytest.mark.parametrize("key_id", ["", "x" * 44, " a"])
def test_a_bad_id_is_a_mistake_in_the_command(tmp_path: Path, key_id: str) -> None:
    status, _, err = turnlog("keygen", tmp_path / "k.json", "--id", key_id)
    assert status == 2
    assert "an id of a key" in err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_and_a_file_that_is_open_are_told(
    tmp_path: Path, keys: Path
) -> None:
    status, _, err = turnlog("keygen", tmp_path / "no" / "keys.json")
    assert (status, err.count("\n")) == (1, 1)
    keys.chmod(0o644)
    status, _, err = turnlog("keygen", keys)
    assert (status, f"chmod 600 {keys}" in err) == (1, True)


#: What reads or writes a conversation, and so needs the key.
COMMANDS = [
    ("show", "alice"),
    ("show", "alice", "--json"),
    ("tree", "alice"),
    ("diff", "alice", "alice@other"),
    ("rewind", "alice", "--turns", "1", "--yes"),
    ("fork", "alice", "third"),
    ("chat", "--session", "alice"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works_with_the_key(
    store: Path, keys: Path, command: tuple[str, ...]
) -> None:
    status, _, err = turnlog(*command, "--store", store, "--key-file", keys)
    assert (status, "turnlog:" in err) == (0, False)
    status, *_ = turnlog("show", "alice@other", "--store", store, TURNLOG_KEY_FILE=str(keys))
    assert status == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_key_is_one_line_with_the_cure_and_changes_nothing(
    store: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    wrong = tmp_path / "wrong.json"
    turnlog("keygen", wrong, "--id", "2026-11")
    status, out, err = turnlog(*command, "--store", store, "--key-file", wrong)
    assert (status, out) == (1, "")
    assert "'2026-10', which is not in the key ring (it has '2026-11'): add" in err.splitlines()[-1]
    assert "canary" not in err
    right = turnlog("show", "alice", "--store", store, "--key-file", tmp_path / "keys.json")[1]
    assert ("canary" in right, "sings" in right) == (True, True)


@pytest.mark.parametrize("command", [*COMMANDS, ("ls",), ("usage", "alice"), ("rm", "alice", "-y")])
def test_a_missing_or_open_key_file_is_one_line_with_the_cure(
    store: Path, tmp_path: Path, keys: Path, command: tuple[str, ...]
) -> None:
    missing = tmp_path / "none.json"
    status, out, err = turnlog(*command, "--store", store, "--key-file", missing)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert f"there is no key file {missing}: make one with `turnlog keygen {missing}`" in err
    keys.chmod(0o640)
    status, out, err = turnlog(*command, "--store", store, "--key-file", keys)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert f"chmod 600 {keys}" in err


def test_ls_lists_and_rm_deletes_without_a_key(store: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    turnlog("keygen", wrong)
    for more in ((), ("--key-file", wrong)):
        status, out, _ = turnlog("ls", "--json", "--store", store, *more)
        assert (status, [head["session"] for head in json.loads(out)]) == (0, ["alice"])
    assert turnlog("rm", "alice", "--yes", "--store", store)[0] == 0
    assert json.loads(turnlog("ls", "--json", "--store", store)[1]) == []


def test_what_chat_stores_with_a_key_is_not_in_the_file(tmp_path: Path, keys: Path) -> None:
    path = tmp_path / "c.db"
    status, *_ = turnlog("chat", "--store", path, "--key-file", keys, says="a canary sings\n")
    assert status == 0
    stored = b"".join(each.read_bytes() for each in tmp_path.glob("c.db*"))
    assert b"canary" not in stored
    assert "canary" in turnlog("show", "default", "--store", path, "--key-file", keys)[1]


def test_without_the_extra_keygen_works_and_a_store_says_what_to_install(
    tmp_path: Path, store: Path, keys: Path
) -> None:
    (tmp_path / "cryptography.py").write_text("raise ImportError('no cryptography')\n")
    bare = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    assert turnlog("keygen", tmp_path / "new.json", PYTHONPATH=bare)[0] == 0
    status, out, err = turnlog(
        "show", "alice", "--store", store, "--key-file", keys, PYTHONPATH=bare
    )
    assert (status, out) == (1, "")
    assert err == "turnlog: encryption needs cryptography: pip install 'turnlog[encrypt]'\n"
