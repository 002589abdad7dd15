"""Wrong arguments of `Encrypted`: the error says what to write instead, before anything is done."""

from typing import Any

import pytest

from turnlog import Encrypted, Keyring
from turnlog.layers.traced import Traced
from turnlog.stores.memory import MemoryStore

RING = Keyring({"k": b"k" * 32})


@pytest.mark.parametrize(
    ("arguments", "options", "error", "cure"),
    [
        (("chats.db", RING), {}, TypeError, r"open_store\(url\)"),
        ((RING, MemoryStore()), {}, TypeError, r"open_store\(url\)"),
        ((MemoryStore(), "keys.json"), {}, TypeError, r"Keyring.from_file\(path\)"),
        ((MemoryStore(), b"k" * 32), {}, TypeError, r"Keyring.from_file\(path\)"),
        ((MemoryStore(), RING), {"keys": "keys.db"}, TypeError, r"open_store\(url\)"),
        ((MemoryStore(), RING), {"remember": -1}, ValueError, "0 or more"),
        ((MemoryStore(), RING), {"remember": "5m"}, ValueError, "number of seconds"),
        ((MemoryStore(), RING), {"reads": "plain"}, ValueError, r"ours\+plain"),
        ((MemoryStore(), RING), {"reads": "ours+sdk"}, ValueError, "sdk_key"),
        ((MemoryStore(), RING), {"sdk_key": "key"}, ValueError, r"ours\+sdk"),
    ],
)
def test_wrong_arguments(
    arguments: tuple[Any, Any], options: dict[str, Any], error: type[Exception], cure: str
) -> None:
    with pytest.raises(error, match=cure):
        Encrypted(*arguments, **options)


def test_a_store_is_encrypted_once() -> None:
    """Two layers would both keep their keys in one log."""
    for store in (Encrypted(MemoryStore(), RING), Traced(Encrypted(MemoryStore(), RING))):
        with pytest.raises(ValueError, match="encrypted already"):
            Encrypted(store, RING)
