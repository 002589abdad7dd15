"""`EncryptSession`: the short form of encryption, a session and a key."""

from __future__ import annotations

import copy
from hashlib import blake2b
from os import urandom
from typing import TypeVar, overload

from turnlog.conversation.protocol import Session
from turnlog.conversation.session import StoredSession
from turnlog.items.given import given
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.key_values import key_problem
from turnlog.layers.encryption.keyring import Keyring
from turnlog.layers.encryption.passphrase import Passphrase
from turnlog.sessions.encrypted import EncryptedSession
from turnlog.sessions.encryption.arguments import check_inner

__all__ = ["EncryptSession"]

S = TypeVar("S", bound=StoredSession)

#: The id of the key in its key ring, for those who go on with `Encrypted` and a `Keyring`.
KEY_ID = "EncryptSession"


@overload
def EncryptSession(inner_session: S, encryption_key: str | bytes) -> S: ...
@overload
def EncryptSession(inner_session: Session, encryption_key: str | bytes) -> EncryptedSession: ...
def EncryptSession(  # noqa: N802 - the name that users know, of a class
    inner_session: Session, encryption_key: str | bytes
) -> Session:
    """`inner_session`, with everything that it stores encrypted.

    inner_session: of a session of Turnlog, the result is one of the same class on the same
        branch, with all its methods, over the layer `Encrypted`. It also reads what the SDK's
        `EncryptedSession` wrote with this key and session id, of any age. Closing it closes the
        store of `inner_session`. Any other session is wrapped in an `EncryptedSession` without a
        `ttl`.
    encryption_key: 32 random bytes, or their base64 as text; any other text is a passphrase of at
        least 16 characters. Bytes of another length are such a text.
    """
    try:
        check_inner(inner_session)
        if isinstance(inner_session, StoredSession):
            if not isinstance(encryption_key, str | bytes):
                raise TypeError(
                    f"encryption_key must be a str or bytes, not {given(encryption_key)}"
                )
            return _over_layer(inner_session, encryption_key)
        return EncryptedSession(inner_session.session_id, inner_session, encryption_key, ttl=None)
    finally:
        del encryption_key  # so that it is not in the frame of an error


def _over_layer(inner: S, key: str | bytes) -> S:
    try:
        # SDKItems reads 32 bytes as they are, and other bytes as the text that they hold.
        store = Encrypted(inner.store, _keyring(key), reads="ours+sdk", sdk_key=key)
    finally:
        del key
    session = copy.copy(inner)
    # A copy, such as a fork, leaves the store open; this one closes it.
    vars(session).update(
        {name: value for name, value in vars(inner).items() if name == "_owns_store"}
    )
    session.store = store
    session._last_reader = session._known_records = None  # noqa: SLF001 - of the other store
    return session


def _keyring(key: str | bytes) -> Keyring:
    """The key ring of `key`. It is remembered, because to derive a key of a passphrase is slow."""
    try:
        text = b"text" + key.encode("utf-8", "replace") if isinstance(key, str) else key
        name = blake2b(text, key=_SALT).digest()
        known = _keyrings.get(name) or Keyring({KEY_ID: _taken(key)})
        _keyrings[name] = known
        while len(_keyrings) > _REMEMBERED:
            del _keyrings[next(iter(_keyrings))]
        return known
    finally:
        key = text = b""


def _taken(key: str | bytes) -> str | bytes | Passphrase:
    """The key as a key ring takes it."""
    try:
        if isinstance(key, bytes) and key_problem(key):
            key = key.decode("utf-8", "surrogateescape")  # which a passphrase refuses
        return Passphrase(key) if isinstance(key, str) and key_problem(key) else key
    finally:
        del key


#: The key rings that were made last, by a digest of their key that means nothing elsewhere.
_keyrings: dict[bytes, Keyring] = {}
_REMEMBERED = 64
_SALT = urandom(32)
