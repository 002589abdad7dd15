"""`turnlog reencrypt` and `turnlog destroy-keys`."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.command_line import turnlog
from tests.sample_items import user
from turnlog import StoredSession
from turnlog.items.json import Item
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.keyring import Keyring
from turnlog.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.slow


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A key file with one key, "one"."""
    path = tmp_path / "keys.json"
    assert turnlog("keygen", path, "--id", "one")[0] == 0
    return path


@pytest.fixture
def store(tmp_path: Path, keys: Path) -> Path:
    """An encrypted store with two conversations; alice owns the first."""
    path = tmp_path / "store.db"

    async def fill() -> None:
        async with Encrypted(SQLiteStore(path), Keyring.from_file(keys)) as store:
            for session in ("a", "b"):
                await StoredSession(session, store).add_items([user("canary")])
            await StoredSession("a", store).describe(owner="alice")

    asyncio.run(fill())
    return path


def items(path: Path, keys: Path, session: str) -> list[Item]:
    async def read() -> list[Item]:
        async with Encrypted(SQLiteStore(path), Keyring.from_file(keys)) as store:
            return await StoredSession(session, store).get_items()

    return asyncio.run(read())


def counted(store: Path, keys: Path) -> dict[str, object]:
    status, out, err = turnlog(
        "reencrypt", "--store", store, "--key-file", keys, "--dry-run", "--json"
    )
    assert (status, err) == (0, "")
    found: dict[str, object] = json.loads(out)
    return found


def test_keys_are_counted_and_wrapped_anew(store: Path, keys: Path) -> None:
    both = {"conversations": 2, "data_keys": 2}
    assert counted(store, keys) == {"keys": {"one": both}, "without": 0, "destroyed": 0}
    assert turnlog("keygen", keys, "--id", "two", "--primary")[0] == 0
    status, out, _ = turnlog("reencrypt", "--store", store, "--key-file", keys, "--prefix", "a")
    assert (status, out.split()[:4]) == (0, ["conversations", "1", "changed", "1"])
    one = {"conversations": 1, "data_keys": 1}
    assert counted(store, keys)["keys"] == {"one": one, "two": one}
    assert turnlog("reencrypt", "--store", store, "--key-file", keys)[0] == 0
    assert counted(store, keys)["keys"] == {"two": both}
    assert items(store, keys, "a") == [user("canary")]


def test_records_are_sealed_anew_and_it_says_how_to_resume(store: Path, keys: Path) -> None:
    command = ["reencrypt", "--store", store, "--key-file", keys, "--reseal"]
    status, out, err = turnlog(*command, "--json")
    assert status == 0
    done = json.loads(out)
    assert (done["changed"], done["data_keys"], done["unreadable"]) == (2, 2, 0)
    assert done["records"] >= 3
    before = err.split("--before ")[1].strip()
    status, out, _ = turnlog(*command, "--before", before, "--json")
    assert (status, json.loads(out)["changed"]) == (0, 0)
    assert items(store, keys, "b") == [user("canary")]


def test_what_is_left_behind_ends_with_an_error(store: Path, keys: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    turnlog("keygen", other, "--id", "three")
    status, _, err = turnlog("reencrypt", "--store", store, "--key-file", other)
    assert status == 1
    assert "'one'" in err
    assert "2 conversations were left as they are" in err
    assert items(store, keys, "a") == [user("canary")]


@pytest.mark.parametrize("command", ["reencrypt", "destroy-keys"])
def test_a_key_file_is_needed(store: Path, command: str) -> None:
    arguments = ["--owner", "alice"] if command == "destroy-keys" else []
    status, _, err = turnlog(command, "--store", store, *arguments)
    assert status == 2
    assert "--key-file" in err


@pytest.mark.parametrize("arguments", [["--before", "2026-11-28"], ["--reseal", "--before", "x"]])
def test_a_time_is_one_and_is_of_use(store: Path, keys: Path, arguments: list[str]) -> None:
    command = ["reencrypt", "--store", store, "--key-file", keys, *arguments]
    assert turnlog(*command)[0] == 2


def test_keys_are_destroyed_by_id_and_by_owner(store: Path, keys: Path) -> None:
    command = ["destroy-keys", "--store", store, "--key-file", keys]
    status, out, err = turnlog(*command, "b")
    assert (status, out) == (1, "")
    assert "pass --yes" in err
    assert turnlog(*command, "--yes", "nobody")[0] == 3
    assert turnlog(*command, "--yes")[0] == turnlog(*command, "a", "--owner", "alice")[0] == 2
    status, out, _ = turnlog(*command, "--owner", "alice", "--yes")
    assert (status, out) == (0, "destroyed the keys of a\n")
    assert turnlog(*command, "--owner", "alice", "--yes")[1] == "no conversation was found\n"
    assert turnlog(*command, "a", "--yes")[0] == 3
    status, _, err = turnlog("show", "a", "--store", store, "--key-file", keys)
    assert status == 1
    assert "destroyed" in err
    assert items(store, keys, "b") == [user("canary")]
    assert counted(store, keys)["destroyed"] == 1


def test_what_was_stored_without_encryption_is_encrypted(tmp_path: Path, keys: Path) -> None:
    """Without --plain it is named, not passed over."""
    path = tmp_path / "plain.db"

    async def fill() -> None:
        async with SQLiteStore(path) as store:
            await StoredSession("a", store).add_items([user("canary")])

    asyncio.run(fill())
    command = ["reencrypt", "--store", path, "--key-file", keys]
    assert turnlog(*command, "--plain")[0] == 2
    status, _, err = turnlog(*command, "--reseal")
    assert status == 1
    assert "a: it is not encrypted" in err
    assert turnlog("show", "a", "--store", path, "--key-file", keys)[0] != 0
    assert b"canary" in path.read_bytes()
    status, _, err = turnlog(*command, "--reseal", "--plain")
    assert (status, "--reseal --plain --before" in err) == (0, True)
    assert items(path, keys, "a") == [user("canary")]
    assert turnlog(*command, "--reseal")[0] == 0
