"""Text from a store, made fit for a terminal."""

import re

__all__ = ["plain"]

# All control characters but tab and newline: they could move the cursor, change colours
# or write to the clipboard. Directional marks could show one thing and mean another.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """`text` with every character that a terminal would obey written out as its code."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
