"""Scripts: their text, and the digest by which servers know them."""

from __future__ import annotations

from hashlib import sha1

__all__ = ["Script"]


class Script:
    """A script, and the digest by which servers know it."""

    def __init__(self, *parts: str) -> None:
        self.text = "\n".join(parts)
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
