"""Key files: who may read them, and how they are written."""

import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.layers.encryption.tracebacks import forms, shown_by
from turnlog import Keyring
from turnlog.layers.encryption import key_files
from turnlog.layers.encryption.key_files import write_key_file
from turnlog.layers.encryption.key_sets import KeySet

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A key file with one key, "a"."""
    path = tmp_path / "keys.json"
    write_key_file(path, lambda _: KeySet.new("a"))
    return path


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _added(key_id: str, before: KeySet | None) -> KeySet:
    return before.with_new(key_id) if before else KeySet.new(key_id)


@pytest.mark.usefixtures("open_umask")
def test_a_file_is_its_owners_from_its_creation_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    published = key_files._publish

    def seen(new: Path, *more: object, **options: bool) -> None:
        modes.append(new.stat().st_mode & 0o777)
        published(new, *more, **options)  # type: ignore[arg-type] # passed on as they came

    made = key_files._made

    def seen_at_once(new: Path, path: Path) -> BinaryIO:
        file = made(new, path)
        modes.append(_mode(new))
        return file

    monkeypatch.setattr(key_files, "_publish", seen)
    monkeypatch.setattr(key_files, "_made", seen_at_once)
    path = tmp_path / "keys.json"
    for key_id in ("a", "b"):
        write_key_file(path, partial(_added, key_id))
        assert _mode(path) == 0o600
    assert modes == [0o600] * 4
    assert [each.name for each in tmp_path.iterdir()] == ["keys.json"]


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_is_written_is_read(path: Path) -> None:
    write_key_file(path, lambda before: _added("b", before).with_primary("b"))
    ring = Keyring.from_file(path)
    assert (ring.ids, ring.primary) == (["a", "b"], "b")
    assert Keyring.from_file(str(path)).ids == ["a", "b"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666])
def test_a_file_that_others_may_use_is_refused_with_the_cure(path: Path, mode: int) -> None:
    path.chmod(mode)
    link = path.with_name("link")
    link.symlink_to(path)
    for name in (path, link):
        with pytest.raises(PermissionError, match=f"mode {mode:o}.*chmod 600 {name}"):
            Keyring.from_file(name)
    with pytest.raises(PermissionError, match="chmod 600"):
        write_key_file(path, lambda before: _added("b", before))
    assert list(json.loads(path.read_text())["keys"]) == ["a"]


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_is_read_also_through_a_link(path: Path, mode: int) -> None:
    path.chmod(mode)
    link = path.with_name("link")
    link.symlink_to(path)
    assert Keyring.from_file(link).ids == ["a"]


def test_a_link_stays_one_when_a_key_is_added(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    write_key_file(link, lambda before: _added("b", before))
    assert link.is_symlink()
    assert Keyring.from_file(path).ids == ["a", "b"]


def test_a_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    if path.stat().st_uid == 0:  # root's files are taken by everybody
        assert Keyring.from_file(path).ids == ["a"]
        os.chown(path, 12_345, -1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        Keyring.from_file(path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_root_adds_a_key_to_the_file_of_a_service(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(path, 12_345, 12_345)
    with pytest.raises(PermissionError, match="belongs to another user"):
        write_key_file(path, lambda before: _added("b", before))
    os.chown(path, 0, 0)
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    write_key_file(path, lambda before: _added("b", before))
    assert (path.stat().st_uid, Keyring.from_file(path).ids) == (0, ["a", "b"])


def test_a_missing_file_a_folder_and_a_pipe_are_told(tmp_path: Path) -> None:
    missing, pipe = tmp_path / "none.json", tmp_path / "pipe"
    with pytest.raises(FileNotFoundError, match=f"turnlog keygen {missing}"):
        Keyring.from_file(missing)
    os.mkfifo(pipe, 0o600)
    for name in (tmp_path, pipe):
        with pytest.raises(PermissionError, match="is not a regular file"):
            Keyring.from_file(name)


def test_a_file_that_can_be_no_key_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    with path.open("wb") as file:
        file.truncate(2**30)
    path.chmod(0o600)
    with pytest.raises(ValueError, match="larger than a key file"):
        Keyring.from_file(path)


def test_a_broken_file_is_not_changed(path: Path) -> None:
    path.write_text("{")
    with pytest.raises(ValueError, match="was not changed: it is not JSON"):
        write_key_file(path, lambda before: _added("b", before))
    assert path.read_text() == "{"
    assert [each.name for each in path.parent.iterdir()] == ["keys.json"]


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"

    def change(_: KeySet | None) -> KeySet:
        path.write_text("theirs")
        return KeySet.new("a")

    with pytest.raises(FileExistsError):
        write_key_file(path, change)
    assert path.read_text() == "theirs"
    assert [each.name for each in tmp_path.iterdir()] == ["keys.json"]


def test_writers_at_once_lose_no_key(path: Path) -> None:
    def add(key_id: str) -> str | None:
        try:
            write_key_file(path, lambda before: _added(key_id, before))
        except FileExistsError:
            return None
        return key_id

    with ThreadPoolExecutor(8) as threads:
        added = {key_id for key_id in threads.map(add, [f"k{n}" for n in range(40)]) if key_id}
    assert added
    assert set(Keyring.from_file(path).ids) == {"a", *added}


def test_the_rest_of_a_writer_that_was_killed_is_named(path: Path) -> None:
    rest = path.with_name(".keys.json.new")
    rest.write_text("")
    with pytest.raises(FileExistsError, match=f"{rest} is there: .* then delete it"):
        write_key_file(path, lambda before: _added("b", before))
    assert rest.exists()


def test_a_full_disk_changes_nothing_and_shows_no_key(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    written: list[KeySet] = []

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    def change(found: KeySet | None) -> KeySet:
        written.append(_added("b", found))
        return written[0]

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as raised:
        write_key_file(path, change)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["keys.json"]
    secrets = {form for key in written[0].keys.values() for form in forms(key) | {key}}
    assert len(secrets) > 4
    assert not any(secret in shown_by(raised.value) for secret in secrets)
    assert not any(secret in repr(written) for secret in secrets)


def test_keys_are_random_and_of_32_bytes(path: Path) -> None:
    write_key_file(path, lambda before: _added("b", before))
    keys = json.loads(path.read_text())["keys"]
    assert keys["a"] != keys["b"]
    assert stat.S_ISREG(path.stat().st_mode)
