"""Format of sealed records: docs/vectors/sealed-records.json, read and written in both directions.

The decoder here follows docs/encryption-format.md and shares no code with the layer.
"""

import base64
import hmac
import json
import os
from hashlib import sha256
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from turnlog.layers.encryption.key_records import Destroyed, KeyRecord, key_record_of
from turnlog.layers.encryption.sealing import DataKey, RawKey, note_context, record_context
from turnlog.records import Log

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "docs" / "vectors" / "sealed-records.json").read_text()
)
SEALED: list[dict[str, Any]] = VECTORS["sealed"]
KEYS: dict[str, Any] = VECTORS["keys"]


# The independent implementation


def joined(*parts: bytes) -> bytes:
    return b"".join(pack(">I", len(part)) + part for part in parts)


def derived(session: str, key_id: int, data_key: bytes) -> tuple[bytes, bytes, bytes]:
    """HKDF-SHA256 without salt, 96 bytes, from RFC 5869 by hand."""
    info = joined(b"turnlog data key 1", session.encode(), pack(">I", key_id))
    secret = hmac.digest(bytes(32), data_key, sha256)
    first = hmac.digest(secret, info + b"\x01", sha256)
    second = hmac.digest(secret, first + info + b"\x02", sha256)
    return first, second, hmac.digest(secret, second + info + b"\x03", sha256)


def opened(kind: str, session: str, log: str, data_key: bytes, sealed: bytes) -> bytes:
    assert sealed[:4] == b"\xf5\x54\x01\x01"
    sealing_key, _, _ = derived(session, int.from_bytes(sealed[4:8], "big"), data_key)
    context = joined(f"turnlog {kind} 1".encode(), session.encode(), log.encode())
    return AESGCM(sealing_key).decrypt(sealed[20:32], sealed[32:], context + sealed[:20])


# Both directions


@pytest.mark.parametrize("vector", SEALED, ids=lambda vector: vector["name"])
class TestSealed:
    def test_another_implementation_opens_it(self, vector: dict[str, Any]) -> None:
        key = bytes.fromhex(KEYS[vector["key"]]["data_key"])
        sealed = bytes.fromhex(vector["sealed"])
        where = vector["session"], vector["log"]
        assert opened(vector["kind"], *where, key, sealed).hex() == vector["payload"]
        for bit in range(8 * len(sealed)):
            changed = bytearray(sealed)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises((InvalidTag, AssertionError)):
                opened(vector["kind"], *where, key, bytes(changed))

    def test_ours_opens_and_seals_it(
        self, vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = KEYS[vector["key"]]
        raw = RawKey(bytes.fromhex(made["data_key"]))
        key = DataKey.of(vector["session"], made["id"], raw)
        log = Log(vector["session"], vector["log"])
        context = record_context(log) if vector["kind"] == "record" else note_context(log)
        sealed, payload = bytes.fromhex(vector["sealed"]), bytes.fromhex(vector["payload"])
        assert key.open(context, sealed) == payload
        monkeypatch.setattr(os, "urandom", lambda _: bytes.fromhex(vector["nonce"]))
        base, ordinal = vector["base"], vector["ordinal"]
        assert key.seal(context, [payload], base, ordinal) == [sealed]


@pytest.mark.parametrize("name", KEYS)
def test_key_records(name: str) -> None:
    vector = KEYS[name]
    stored = json.loads(vector["stored"])
    _, commitment, _ = derived(vector["session"], vector["id"], bytes.fromhex(vector["data_key"]))
    assert base64.b64decode(stored["commit"]) == commitment
    record = key_record_of(vector["stored"].encode())
    assert isinstance(record, KeyRecord)
    assert (record.id, record.commitment) == (vector["id"], commitment)
    assert record.payload().decode() == vector["stored"]
    key = DataKey.of(vector["session"], record.id, RawKey(bytes.fromhex(vector["data_key"])))
    assert key.has(record.commitment)


def test_the_record_of_destroyed_keys() -> None:
    assert key_record_of(VECTORS["destroyed"].encode()) == Destroyed(1790000000.0)


def test_digests_of_writes() -> None:
    first, second = (DataKey.of("s", n, RawKey(bytes([n]) * 32)) for n in (1, 2))
    *_, digest_key = derived("s", 1, b"\x01" * 32)
    assert first.digest(b"digest") == hmac.digest(digest_key, b"digest", sha256)
    later, sealed = second.with_digests_of(first, "s")
    sealing_key, *_ = derived("s", 2, b"\x02" * 32)
    context = joined(b"turnlog digest key 1", b"s", pack(">I", 2))
    assert AESGCM(sealing_key).decrypt(sealed[:12], sealed[12:], context) == digest_key
    assert later.digest(b"digest") == first.digest(b"digest")
    again = second.with_digests(sealed, "s")
    assert again is not None
    assert again.digest(b"digest") == first.digest(b"digest")
    assert first.with_digests(sealed, "s") is None
    assert second.with_digests(sealed, "t") is None
