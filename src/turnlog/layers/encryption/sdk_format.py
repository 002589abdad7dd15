"""Format of the SDK's `EncryptedSession`: one Fernet token for each item, in a JSON envelope.

    {"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": "<Fernet token>"}

The token holds the JSON of the item and the second at which it was made. Its key is derived from
the user's key and the session id. The format names no key and has no commitment to one, so a
token alone does not tell a wrong key from damage: docs/decisions/0078.
"""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeGuard

from turnlog.errors import Unreadable
from turnlog.items.json import Item
from turnlog.records import Log

try:
    from cryptography.fernet import Fernet, InvalidToken
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError as error:
    raise ImportError("encryption needs cryptography: pip install 'turnlog[encrypt]'") from error

__all__ = [
    "KEY",
    "NO_ITEM",
    "PLAIN",
    "REFUSED",
    "EnvelopeKey",
    "Opened",
    "UnreadableEnvelope",
    "WrongEnvelopeKey",
    "envelope_key",
    "was_wrong_key",
]

#: How many bytes a key has.
KEY = 32
_INFO = b"agents.session-store.hkdf.v1"
#: Seconds by which the clock of the writer may be ahead, as in Fernet.
_CLOCK_SKEW = 60
#: A token begins with the version and the time: 9 bytes, which 12 characters hold.
_VERSION, _TIME = 0x80, 12
#: Version, time, initialisation vector and signature; the ciphertext has blocks of 16 bytes.
_FRAME, _BLOCK = 1 + 8 + 16 + 32, 16


class UnreadableEnvelope(Unreadable):
    """An item of an `EncryptedSession` can't be opened. It is still stored.

    position: always 0, because the wrapped session does not tell positions.
    """

    def __init__(self, session: str, problem: str) -> None:
        super().__init__(Log(session), 0, problem)
        self.args = (session, problem)

    def __str__(self) -> str:
        return f"session {self.log.session!r}: {self.problem}"


class WrongEnvelopeKey(UnreadableEnvelope, InvalidToken):
    """The key opens no item of the session. Nothing was changed.

    Also a `cryptography.fernet.InvalidToken`, which the SDK's class raises over SQLite.
    """

    def __init__(self, session: str) -> None:
        super().__init__(
            session,
            "this encryption key opens none of its items: use the key and the session id that "
            "they were written with; nothing was changed",
        )
        self.args = (session,)


class Opened(NamedTuple):
    """An opened item: its payload, or none and why."""

    #: The JSON of the item; None if it has expired or can't be opened.
    payload: bytes | None
    #: Why it can't be opened; "" if it was opened or has expired.
    problem: str = ""
    #: Whether the token was made with this key.
    is_authentic: bool = False
    #: Whether the token is whole, and yet was not made with this key, or was changed since.
    is_refused: bool = False

    def __repr__(self) -> str:
        return f"<{self.problem or 'expired' if self.payload is None else 'opened'}>"

    @property
    def is_unreadable(self) -> bool:
        """Whether it can't be opened, for another reason than its age."""
        return bool(self.problem)


#: The problem of an item that is no envelope.
PLAIN = "it is not encrypted"
_PLAIN = Opened(None, PLAIN)
_MALFORMED = Opened(None, "its envelope is malformed")
#: The problem of a token that is whole, and yet this key does not open it.
REFUSED = "it was changed, or encrypted with another key"
_REFUSED = Opened(None, REFUSED, is_refused=True)
_EXPIRED = Opened(None, is_authentic=True)
_EARLY = Opened(None, "it was written by a clock that is ahead of this one", is_authentic=True)
#: Of what was opened, but holds no item.
NO_ITEM = Opened(None, "it holds no JSON object", is_authentic=True)


class EnvelopeKey:
    """The key of one session, ready for use. The bytes of the key are not kept.

    cipher: the Fernet that makes and opens its tokens.
    """

    def __init__(self, cipher: Fernet) -> None:
        self.cipher = cipher

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def seal_all(self, payloads: Iterable[bytes]) -> list[Item]:
        """The envelopes of `payloads`, each the JSON of an item."""
        encrypt = self.cipher.encrypt
        return [
            {"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": encrypt(payload).decode("ascii")}
            for payload in payloads
        ]

    def open_all(self, stored: Iterable[object], ttl: float | None = None) -> list[Opened]:
        """What each stored item holds.

        ttl: seconds after which an item has expired; None never. The last second counts.
        """
        now = int(time.time())
        return [self._open(each, ttl, now) for each in stored]

    def _open(self, stored: object, ttl: float | None, now: int) -> Opened:
        if not _is_envelope(stored):
            return _PLAIN
        token = stored["payload"]
        if not isinstance(token, str):
            return _MALFORMED
        try:
            payload = self.cipher.decrypt(token.encode("utf-8", "replace"))
        except InvalidToken:
            return _REFUSED if _is_whole(token) else _MALFORMED
        return (
            Opened(payload, is_authentic=True) if ttl is None else _timely(token, payload, ttl, now)
        )


def _timely(token: str, payload: bytes, ttl: float, now: int) -> Opened:
    at = int.from_bytes(urlsafe_b64decode(token[:_TIME])[1:], "big")
    if at + ttl < now:
        return _EXPIRED
    return Opened(payload, is_authentic=True) if at <= now + _CLOCK_SKEW else _EARLY


def envelope_key(session_id: str, key: object) -> EnvelopeKey | str:
    """The key of a session as the SDK reads it; or, as a text, what is wrong with it.

    key: a text: the URL-safe base64 of 32 bytes, else these very characters. Of bytes, 32 are
        the key itself, and others such a text.

    It raises nothing, so that no key lies in the frames of a traceback.
    """
    if not key:
        return "encryption_key not set; required for EncryptedSession."
    if not isinstance(key, str | bytes):
        return f"encryption_key must be a str or bytes, not {type(key).__name__}"
    try:
        salt = session_id.encode()
        if isinstance(key, bytes) and len(key) != KEY:
            key = key.decode()
    except UnicodeError:
        return "encryption_key must be 32 bytes or a text, and session_id a text without surrogates"
    derive = HKDF(SHA256(), KEY, salt=salt, info=_INFO).derive
    return EnvelopeKey(
        Fernet(urlsafe_b64encode(derive(_read(key) if isinstance(key, str) else key)))
    )


def _read(key: str) -> bytes:
    try:
        decoded = urlsafe_b64decode(key)
    except ValueError:
        decoded = b""
    return decoded if len(decoded) == KEY else key.encode("utf-8", "surrogatepass")


def _is_envelope(item: object) -> TypeGuard[dict[str, Any]]:
    """Whether an item is an envelope of the SDK, as the SDK tells."""
    return (
        isinstance(item, dict)
        and item.get("__enc__") == 1
        and "payload" in item
        and "kid" in item
        and "v" in item
    )


def was_wrong_key(opened: Sequence[Opened]) -> bool:
    """Whether a key that opened `opened`, all that was looked at, is the wrong one.

    It is, if it opens none of them, although there are whole tokens among them.
    """
    return any(each.is_refused for each in opened) and not any(each.is_authentic for each in opened)


def _is_whole(token: str) -> bool:
    """Whether a token that can't be opened has at least the form of one."""
    try:
        data = urlsafe_b64decode(token)
    except ValueError:
        return False
    cipher_length = len(data) - _FRAME
    return data[:1] == bytes([_VERSION]) and cipher_length > 0 and cipher_length % _BLOCK == 0
