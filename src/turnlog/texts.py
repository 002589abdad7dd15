"""Checks of names and payloads that every verb of a store makes before it writes."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["SURROGATES", "check_payloads", "check_texts"]

SURROGATES = range(0xD800, 0xE000)
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_texts(*texts: str) -> None:
    """Check ids, names of logs and of keys.

    Raises `TypeError` for one that is not a str, `ValueError` for one with lone surrogates.
    """
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"ids, log names and keys must be str, not {type(text).__name__}")
        if not text.isascii() and _SURROGATE.search(text):
            raise ValueError(
                "an id, log name or key holds a lone surrogate, which UTF-8 can't encode"
            )


def check_payloads(payloads: Sequence[bytes]) -> None:
    """Check payloads, notes and digests. Raises `TypeError` for one that is not bytes."""
    for payload in payloads:
        if not isinstance(payload, bytes):
            raise TypeError(f"payloads and notes must be bytes, not {type(payload).__name__}")
