"""Digest of items: tells whether two writes hold the same."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

__all__ = ["digest"]


def digest(payloads: Iterable[bytes]) -> bytes:
    """16 bytes that differ for lists of encoded items that differ."""
    hashed = blake2b(digest_size=16)
    for payload in payloads:
        hashed.update(b"%d:" % len(payload))
        hashed.update(payload)
    return hashed.digest()
