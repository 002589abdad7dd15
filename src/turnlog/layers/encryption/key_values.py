"""Keys and their ids: which values are taken, and the problem with all others.

No text here quotes a value. An id has at most 40 bytes, so that a key that was passed as one, in
base64 or hex, is refused too.
"""

from __future__ import annotations

from base64 import b64decode

__all__ = ["KEY_BYTES", "MAKE_ONE", "HoldsKeys", "id_problem", "key_bytes", "key_problem"]

KEY_BYTES = 32
_ID_BYTES = 40

#: The cure for a missing or refused key.
MAKE_ONE = (
    "make one with `turnlog keygen FILE`, or derive one from a passphrase with "
    "Keyring.from_passphrase"
)

_STANDARD = str.maketrans("-_", "+/")


def id_problem(key_id: object) -> str | None:
    """Why `key_id` can't be the id of a key; None if it can."""
    if not isinstance(key_id, str):
        return "an id of a key is text, such as '2026-11'"
    if not key_id.isprintable() or key_id != key_id.strip():
        return "an id of a key has printable characters only, and no space at its ends"
    if not 1 <= len(key_id.encode()) <= _ID_BYTES:
        return f"an id of a key has 1 to {_ID_BYTES} bytes in UTF-8; it is a name, not the key"
    return None


def key_problem(key: object) -> str | None:
    """Why `key` can't be a key; None if it can.

    A key is 32 bytes, or their base64 as text, in either alphabet. Nothing is cut, padded or
    hashed to 32 bytes: that would hide a mistake, or a password.
    """
    if isinstance(key, bytes):
        return _length_problem("", len(key))
    if isinstance(key, str):
        return _text_problem(key)
    return f"is neither bytes nor text: {MAKE_ONE}"


def key_bytes(key: bytes | str) -> bytes:
    """The 32 bytes of a `key` that has no problem."""
    return b64decode(key.translate(_STANDARD)) if isinstance(key, str) else key


def _text_problem(key: str) -> str | None:
    try:
        length = len(b64decode(key.translate(_STANDARD), validate=True))
    except ValueError:
        return f"is text, but not the base64 of {KEY_BYTES} bytes: {MAKE_ONE}"
    return _length_problem("is the base64 of what ", length)


def _length_problem(what: str, length: int) -> str | None:
    if length == KEY_BYTES:
        return None
    return f"{what}has {length} bytes, and a key has exactly {KEY_BYTES}: {MAKE_ONE}"


class HoldsKeys:
    """An object that holds keys and never changes: it is not pickled, and a copy is itself."""

    def __copy__(self) -> HoldsKeys:
        return self

    def __deepcopy__(self, _: object) -> HoldsKeys:
        return self

    def __reduce_ex__(self, _: object) -> str:
        raise TypeError(
            f"a {type(self).__name__} holds keys and is not pickled: load it in each process, "
            "such as with Keyring.from_file or Keyring.from_env"
        )
