"""Blocking twins of the encrypted sessions."""

from pathlib import Path

import pytest

from tests.sample_items import answer, user
from tests.strangers import Stranger
from turnlog import SQLiteSession, sync
from turnlog.layers.encryption.sdk_format import WrongEnvelopeKey
from turnlog.sync.stored import BlockingStoredSession

TALK = [user("one"), answer("1")]
KEY = bytes(range(32))


@pytest.mark.parametrize("blocking", [False, True])
def test_encrypted_session(tmp_path: Path, blocking: bool) -> None:
    path = tmp_path / "c.db"
    inner = sync.SQLiteSession(path, session_id="a") if blocking else SQLiteSession("a", path)
    with sync.EncryptedSession("a", inner, "key") as session:
        session.add_items(TALK)
        assert session.get_items() == TALK
        assert session.get_items(1) == TALK[1:]
        with pytest.raises(WrongEnvelopeKey):
            sync.EncryptedSession("a", inner, "wrong").pop_item()
        assert session.pop_item() == TALK[1]
        assert session.unreadable == set()
        assert session.cipher is session.session.cipher
        session.clear_session()
        assert session.get_items() == []


@pytest.mark.parametrize("blocking", [False, True])
def test_the_short_form(tmp_path: Path, blocking: bool) -> None:
    path = tmp_path / "c.db"
    inner = sync.SQLiteSession(path, session_id="a") if blocking else SQLiteSession("a", path)
    session = sync.EncryptSession(inner, KEY)
    assert isinstance(session, BlockingStoredSession)
    session.add_items(TALK)
    assert [turn.text for turn in session.fork("b").turns()] == ["one"]
    assert session.get_items() == TALK
    session.close()
    assert b"one" not in path.read_bytes()


def test_the_short_form_around_a_stranger() -> None:
    session = sync.EncryptSession(Stranger("a", {}), "key")
    session.add_items(TALK)
    assert session.get_items() == TALK
