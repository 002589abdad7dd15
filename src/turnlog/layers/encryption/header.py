"""Header of a sealed record: what can be read of it without a key.

    offset  bytes
    0       2      F5 54; no text in UTF-8 and no JSON begins so
    2       1      version of the format: 1
    3       1      algorithm: 1 is AES-256-GCM
    4       4      id of the data key
    8       8      base: the position at which the log ended before the append
    16      4      ordinal of the record in the append, from 0
    20      12     nonce
    32             ciphertext, and 16 bytes of tag

Numbers are unsigned, the most significant byte first. The first 20 bytes are authenticated.
"""

from __future__ import annotations

from struct import Struct

__all__ = ["CLEAR", "HEADER", "KIND", "PLACE", "TAG", "begin", "is_in_plain", "is_sealed"]

#: The magic bytes, the version and the algorithm of all that is written.
KIND = b"\xf5T\x01\x01"
#: How many bytes of the header are authenticated, how many it has, and how many the tag has.
CLEAR, HEADER, TAG = 20, 32, 16
#: The place of a record: its base and its ordinal.
PLACE = Struct(">QI")


def begin(key_id: int) -> bytes:
    """The first 8 bytes of a record that is sealed with the data key `key_id`."""
    return KIND + key_id.to_bytes(4, "big")


def is_in_plain(log: str) -> bool:
    """Whether the records of the log `log` are not sealed: those that say that a branch is deleted.

    They hold nothing but a time, and only count. So a conversation can be cleared without its key.
    """
    return log.startswith(":deleted@")


def is_sealed(payload: bytes) -> bool:
    """Whether `payload` begins like a sealed record, of any version."""
    return payload[:2] == KIND[:2]
