"""Wrapped data keys: encrypted by a key of a key ring, with the id of that key.

    bytes
    1      form: 1 if a key has wrapped it, 2 if a passphrase has
    1      length of the id
    1-40   id of the key, in UTF-8
    25     form 2 only: memory in KiB 4, iterations 4, lanes 1, salt 16
    16     check: tells the key from every other
    12     nonce
    48     the data key, encrypted with AES-256-GCM, and 16 bytes of tag

Numbers are unsigned, the most significant byte first. The session and all before the nonce are
authenticated. HKDF-SHA256 derives the key of the cipher and the check from the 32 bytes of a key,
or from those that Argon2id gives for a passphrase.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from turnlog.layers.encryption.key_values import KEY_BYTES, id_problem
from turnlog.layers.encryption.sealing import joined

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError as error:
    raise ImportError("encryption needs cryptography: pip install 'turnlog[encrypt]'") from error

__all__ = ["KEY_FORM", "PASSPHRASE_FORM", "Wrapped", "WrappingKey", "wrapped_of"]

KEY_FORM, PASSPHRASE_FORM = 1, 2
_SETTINGS = {KEY_FORM: 0, PASSPHRASE_FORM: 25}
_CHECK, _NONCE, _SEALED = 16, 12, 48


class Wrapped(NamedTuple):
    """A wrapped data key, taken apart.

    settings: of Argon2id; empty in form 1.
    sealed: the nonce, the encrypted key and its tag.
    """

    form: int
    key_id: str
    settings: bytes
    check: bytes
    sealed: bytes

    def clear(self) -> bytes:
        """All before the nonce."""
        key_id = self.key_id.encode()
        return bytes([self.form, len(key_id)]) + key_id + self.settings + self.check


def wrapped_of(stored: bytes) -> Wrapped | None:
    """A wrapped data key, taken apart; None if `stored` is not one."""
    if len(stored) < 2 or stored[0] not in _SETTINGS:  # noqa: PLR2004 - form and length
        return None
    settings = 2 + stored[1]
    check = settings + _SETTINGS[stored[0]]
    sealed = check + _CHECK
    if len(stored) != sealed + _NONCE + _SEALED:
        return None
    key_id = stored[2:settings].decode(errors="surrogateescape")  # which no id may have
    if id_problem(key_id):
        return None
    parts = stored[settings:check], stored[check:sealed], stored[sealed:]
    return Wrapped(stored[0], key_id, *parts)


class WrappingKey:
    """A key of a key ring, ready for use. Its bytes are not kept."""

    form = KEY_FORM

    def __init__(self, cipher: AESGCM, check: bytes) -> None:
        self._cipher = cipher
        self.check = check

    @classmethod
    def of(cls, key: bytes) -> WrappingKey:
        """The key with these 32 bytes."""
        return cls._derived(HKDF(SHA256(), KEY_BYTES + _CHECK, None, _INFO).derive(key))

    @classmethod
    def _derived(cls, derived: bytes) -> WrappingKey:
        return cls(AESGCM(derived[:KEY_BYTES]), derived[KEY_BYTES:])

    async def to_wrap(self) -> tuple[bytes, WrappingKey]:
        """The settings to store, and the key that wraps under them."""
        return b"", self

    async def to_unwrap(self, _: Wrapped) -> WrappingKey:
        """The key that unwraps what was wrapped under the settings of a wrapped key."""
        return self

    def wrap(self, clear: bytes, session: bytes, key: bytes) -> bytes:
        """`key` in its wrapped form, which begins with `clear`."""
        nonce = os.urandom(_NONCE)
        return clear + nonce + self._cipher.encrypt(nonce, key, _context(clear, session))

    def unwrap(self, wrapped: Wrapped, session: bytes) -> bytes | None:
        """The data key; None if it was damaged, or is another session's."""
        nonce, sealed = wrapped.sealed[:_NONCE], wrapped.sealed[_NONCE:]
        try:
            return self._cipher.decrypt(nonce, sealed, _context(wrapped.clear(), session))
        except InvalidTag:
            return None


_INFO = b"turnlog key-encryption key 1"


def _context(clear: bytes, session: bytes) -> bytes:
    return joined(b"turnlog wrapped key 1", session, clear)
