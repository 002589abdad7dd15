"""Text from a store, made safe for a terminal."""

import re
import unicodedata

__all__ = ["counted", "one_line", "plain", "safe_json"]

# Control characters, which move the cursor or set colours or the clipboard, line separators,
# and marks that change the order in which characters are shown.
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

# Invisible characters that Python calls printable.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 turn", "2 turns"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def plain(text: str) -> str:
    """`text`, with each character that a terminal would act on written as its code."""
    return _UNSAFE.sub(lambda found: _code(found[0]), text)


def one_line(text: str) -> str:
    """An id or a name in one line, with every character visible.

    Different names look different: invisible characters, a space at either end, and accents
    that are separate from their letters are written as their codes.
    """
    if unicodedata.normalize("NFC", text) != text:
        inner = "".join(char if char.isascii() else _code(char) for char in text)
    else:
        inner = "".join(map(_visible, text))
    return re.sub("^ | $", r"\\x20", inner)


def safe_json(text: bytes) -> bytes:
    """The same JSON, with the characters that a terminal would act on escaped."""
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text.decode()).encode()


def _visible(char: str) -> str:
    if char == "\\":
        return r"\\"
    return char if char.isprintable() and not _BLANK.match(char) else _code(char)


def _code(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
