"""The example of a KMS: examples/kms, against its stand-in for Vault."""

import json
import os
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from examples.kms.stand_in import StandIn, standing_in
from examples.kms.vault import VaultError, VaultKeys, key_name
from tests import ROOT
from tests.layers.encryption.tracebacks import forms, shown_by
from turnlog import Encrypted, StoredSession, Unreadable, WrongKey
from turnlog.changes import Annotate, Append
from turnlog.stores.memory import MemoryStore
from turnlog.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.anyio

DATA = os.urandom(32)
ITEM = {"role": "user", "content": "a canary in a coal mine"}


@pytest.fixture
def vault() -> Iterator[StandIn]:
    with standing_in() as vault:
        yield vault


@pytest.fixture
def keys(vault: StandIn) -> VaultKeys:
    return VaultKeys(vault.address, vault.token)


def _posted(vault: StandIn, path: str, body: bytes = b"{}") -> bytes:
    request = Request(  # noqa: S310 - the stand-in's address
        f"{vault.address}/v1/transit/{path}", body, {"X-Vault-Token": vault.token}, method="POST"
    )
    with urlopen(request) as response:  # noqa: S310 - as above
        found: bytes = response.read()
        return found


async def test_data_keys_are_wrapped_for_their_session_by_the_key_of_the_owner(
    vault: StandIn, keys: VaultKeys
) -> None:
    wrapped = await keys.wrap("alice/1", DATA)
    assert wrapped.startswith(b"vault:v1:")
    assert list(vault.keys) == [key_name("alice")]
    assert await keys.unwrap("alice/1", wrapped) == DATA
    for other in ("alice/2", "bob/1"):
        with pytest.raises(WrongKey):
            await keys.unwrap(other, wrapped)


async def test_after_a_rotation_both_versions_open_until_the_old_one_is_disallowed(
    vault: StandIn, keys: VaultKeys
) -> None:
    old = await keys.wrap("alice/1", DATA)
    _posted(vault, f"keys/{key_name('alice')}/rotate")
    new = await keys.wrap("alice/1", DATA)
    assert new.startswith(b"vault:v2:")
    assert await keys.unwrap("alice/1", old) == await keys.unwrap("alice/1", new) == DATA
    moved = {"ciphertext": old.decode(), "context": b64encode(b"alice/1").decode()}
    answer = json.loads(_posted(vault, f"rewrap/{key_name('alice')}", json.dumps(moved).encode()))
    _posted(vault, f"keys/{key_name('alice')}/config", b'{"min_decryption_version": 2}')
    for each in (new, answer["data"]["ciphertext"].encode()):
        assert await keys.unwrap("alice/1", each) == DATA
    with pytest.raises(WrongKey, match="version is disallowed by policy"):
        await keys.unwrap("alice/1", old)


async def test_in_an_outage_the_error_comes_through_and_nothing_is_written(
    vault: StandIn, keys: VaultKeys
) -> None:
    inner = MemoryStore()
    session = StoredSession("alice/1", Encrypted(inner, keys))
    vault.sealed = True
    with pytest.raises(VaultError, match=r"failed \(503\): Vault is sealed"):
        await session.add_items([ITEM])
    assert await inner.sessions() == []
    vault.sealed = False
    await session.add_items([ITEM])

    vault.sealed = True
    other_process = StoredSession("alice/1", Encrypted(inner, keys))
    for call in (other_process.get_items, other_process.pop_item):
        with pytest.raises(VaultError):
            await call()
    vault.sealed = False
    assert await other_process.get_items() == [ITEM]


async def test_a_wrong_token_and_an_address_where_nobody_listens_are_outages(
    vault: StandIn,
) -> None:
    for keys in (VaultKeys(vault.address, "expired"), VaultKeys("http://127.0.0.1:9", "root")):
        with pytest.raises(VaultError) as wrapping:
            await keys.wrap("alice/1", DATA)
        with pytest.raises(VaultError):
            await keys.unwrap("alice/1", b"vault:v1:AAAA")
        assert not any(form in shown_by(wrapping.value) for form in forms(DATA))
        assert "expired" not in shown_by(wrapping.value)


async def test_what_was_damaged_is_a_wrong_key(keys: VaultKeys) -> None:
    wrapped = await keys.wrap("alice/1", DATA)
    for damaged in (b"", b"vault:v9:AAAA", b"\xff", wrapped[:-4] + b"AAA="):
        with pytest.raises(WrongKey, match="Vault can't decrypt"):
            await keys.unwrap("alice/1", damaged)


async def test_deleting_one_key_erases_all_of_one_owner_copies_included(
    tmp_path: Path, keys: VaultKeys
) -> None:
    live, backup = tmp_path / "live.db", tmp_path / "backup.db"
    names = ("alice/1", "alice/2", "bob/1")
    async with Encrypted(SQLiteStore(live), keys) as store:
        for name in names:
            await StoredSession(name, store).add_items([ITEM])
            await store.commit(name, [Annotate("main", b'{"title": "birds"}')])
    shutil.copy(live, backup)
    await keys.erase_owner("alice")
    for path in (live, backup):
        async with Encrypted(SQLiteStore(path), keys) as store:
            for name in names[:2]:
                with pytest.raises(Unreadable, match="the conversation is erased"):
                    await StoredSession(name, store).get_items()
            assert await StoredSession("bob/1", store).get_items() == [ITEM]
            assert len(await store.sessions()) == 3


async def test_a_key_made_anew_for_an_erased_owner_opens_nothing_old(keys: VaultKeys) -> None:
    store = MemoryStore()
    await StoredSession("alice/1", Encrypted(store, keys)).add_items([ITEM])
    await keys.erase_owner("alice")
    again = Encrypted(store, keys)
    await StoredSession("alice/2", again).add_items([ITEM])
    assert await StoredSession("alice/2", again).get_items() == [ITEM]
    with pytest.raises(Unreadable):
        await StoredSession("alice/1", again).get_items()
    with pytest.raises(Unreadable):  # neither is it written to
        await again.commit("alice/1", [Append("main", [b"{}"])])


async def test_deleting_a_key_that_is_not_there_is_told(keys: VaultKeys) -> None:
    with pytest.raises(VaultError, match=r"did not delete the key turnlog-.*not found"):
        await keys.erase_owner("nobody")


def test_the_demo_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "examples.kms.demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        f"{name}.db, {owner}" for name in ("chats", "backup") for owner in ("alice", "bob")
    ]
    assert ["I am bob" in line for line in lines] == [False, True] * 2
