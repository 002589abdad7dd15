"""Wrong arguments of `EncryptedSession` and `EncryptSession`."""

from typing import Any

import pytest

from turnlog import EncryptedSession, EncryptSession, StoredSession
from turnlog.stores.memory import MemoryStore

INNER = StoredSession("a", MemoryStore())


@pytest.mark.parametrize(
    ("arguments", "error", "problem"),
    [
        ((1, INNER, "key"), TypeError, "session_id must be a str, not an int"),
        (("a", "chats.db", "key"), TypeError, "a session, not a str: it is EncryptSession"),
        (("a", INNER, "key", "10m"), TypeError, "ttl must be a number of seconds"),
        (("a", INNER, "key", 600, 0), ValueError, "max_scan_items is 0; it must be at least 1"),
        (("a", INNER, ""), ValueError, "encryption_key not set"),
        (("a", INNER, 5), ValueError, "str or bytes, not int"),
    ],
)
def test_an_encrypted_session(
    arguments: tuple[Any, ...], error: type[Exception], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        EncryptedSession(*arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "problem"),
    [
        (("key", INNER), TypeError, "a session, not a str: it is EncryptSession"),
        ((INNER, None), TypeError, "encryption_key must be a str or bytes, not None"),
        ((INNER, ""), ValueError, "fewer than 16 characters"),
        ((INNER, b"k" * 31), ValueError, "passphrase"),
    ],
)
def test_the_short_form(arguments: tuple[Any, ...], error: type[Exception], problem: str) -> None:
    with pytest.raises(error, match=problem):
        EncryptSession(*arguments)
