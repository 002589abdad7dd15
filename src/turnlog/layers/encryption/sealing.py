"""Sealing: AES-256-GCM over payloads, bound to their session, log and place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from hmac import digest as hmac_of
from typing import NoReturn

from turnlog.layers.encryption.header import CLEAR, HEADER, PLACE, begin
from turnlog.records import Log

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError as error:
    raise ImportError("encryption needs cryptography: pip install 'turnlog[encrypt]'") from error

__all__ = ["KEY_BYTES", "DataKey", "RawKey", "joined", "note_context", "record_context"]

#: How many bytes a data key has.
KEY_BYTES = 32
_NONCE = HEADER - CLEAR


class RawKey:
    """The bytes of a key. No traceback, log or pickle shows them."""

    __slots__ = ("key",)

    def __init__(self, key: bytes) -> None:
        self.key = key

    def __repr__(self) -> str:
        return "<key>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key can't be pickled or copied")


@dataclass(frozen=True)
class DataKey:
    """A data key of one session, ready for use. The bytes of the key are not kept.

    id: the number that records carry; never 0.
    commitment: 32 bytes that tell this key from every other.
    """

    id: int
    commitment: bytes
    _cipher: AESGCM = field(repr=False)
    _digests: RawKey = field(repr=False)

    @classmethod
    def of(cls, session: str, key_id: int, raw: RawKey) -> DataKey:
        """The data key `key_id` of `session` with the 32 bytes of `raw`."""
        derived = _derive(session, key_id, raw)
        sealing, commitment, digests = (
            slice(KEY_BYTES * part, KEY_BYTES * (part + 1)) for part in range(3)
        )
        cipher, digest_key = AESGCM(derived.key[sealing]), RawKey(derived.key[digests])
        return cls(key_id, derived.key[commitment], cipher, digest_key)

    def has(self, commitment: bytes) -> bool:
        """Whether this is the key with `commitment`."""
        return compare_digest(self.commitment, commitment)

    def digest(self, of: bytes) -> bytes:
        """A digest of a digest, which nobody can compare with a guess who has no key."""
        return hmac_of(self._digests.key, of, "sha256")

    def with_digests_of(self, older: DataKey, session: str) -> tuple[DataKey, bytes]:
        """This key with the digest key of an older one, and that key in its sealed form.

        All data keys of a conversation have the same one: a write is known by its digest also
        after a rotation.
        """
        nonce = os.urandom(_NONCE)
        context = _digests_context(session, self.id)
        sealed = nonce + self._cipher.encrypt(nonce, older._digests.key, context)
        return replace(self, _digests=older._digests), sealed

    def with_digests(self, sealed: bytes, session: str) -> DataKey | None:
        """This key with a digest key that it has sealed; None if that was tampered with."""
        nonce, rest, context = sealed[:_NONCE], sealed[_NONCE:], _digests_context(session, self.id)
        try:
            return replace(self, _digests=RawKey(self._cipher.decrypt(nonce, rest, context)))
        except (InvalidTag, ValueError):  # the latter for one that is too short
            return None

    def seal(
        self, context: bytes, payloads: Sequence[bytes], base: int = 0, first: int = 0
    ) -> list[bytes]:
        """`payloads` as sealed records of one append.

        context: what they are bound to: `record_context` or `note_context`.
        base: the position at which the log ends before the append.
        first: the ordinal of the first one.
        """
        encrypt, prefix = self._cipher.encrypt, begin(self.id) + PLACE.pack(base, 0)[:8]
        bound = context + prefix
        nonces = os.urandom(_NONCE * len(payloads))
        sealed: list[bytes] = []
        for at, payload in enumerate(payloads):
            ordinal = (first + at).to_bytes(4, "big")
            nonce = nonces[_NONCE * at : _NONCE * (at + 1)]
            sealed.append(prefix + ordinal + nonce + encrypt(nonce, payload, bound + ordinal))
        return sealed

    def open_all(
        self, context: bytes, sealed: Sequence[bytes], clear: Sequence[bytes]
    ) -> list[bytes] | None:
        """The payloads of records that this key has sealed; None if one was tampered with.

        clear: the authenticated part of each header.
        """
        decrypt = self._cipher.decrypt
        try:
            return [
                decrypt(each[CLEAR:HEADER], each[HEADER:], context + start)
                for each, start in zip(sealed, clear, strict=True)
            ]
        except InvalidTag:
            return None

    def open(self, context: bytes, sealed: bytes) -> bytes | None:
        """The payload of one record; None if it was tampered with, or is another log's."""
        opened = self.open_all(context, [sealed], [sealed[:CLEAR]])
        return opened[0] if opened else None


def record_context(log: Log) -> bytes:
    """What the records of `log` are bound to."""
    return joined(b"turnlog record 1", log.session.encode(), log.name.encode())


def note_context(log: Log) -> bytes:
    """What the note of `log` is bound to."""
    return joined(b"turnlog note 1", log.session.encode(), log.name.encode())


def _digests_context(session: str, key_id: int) -> bytes:
    return joined(b"turnlog digest key 1", session.encode(), key_id.to_bytes(4, "big"))


def joined(*parts: bytes) -> bytes:
    """`parts`, each behind its length in 4 bytes, so that no two lists give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _derive(session: str, key_id: int, raw: RawKey) -> RawKey:
    """32 bytes each: of the key for the cipher, of the commitment, and of the digest key."""
    info = joined(b"turnlog data key 1", session.encode(), key_id.to_bytes(4, "big"))
    return RawKey(HKDF(SHA256(), 3 * KEY_BYTES, salt=None, info=info).derive(raw.key))
