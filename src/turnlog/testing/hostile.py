"""Hostile names for ids, logs, keys and prefixes: quotes, wildcards, separators, long names."""

from __future__ import annotations

__all__ = ["NAMES", "PLAIN", "UNENCODABLE"]

#: Names that every store and session accepts.
PLAIN = ("a", "A", "b", "ab", "a-b", "a1", "user_123", "main")

#: A store keeps each of these apart from all others, or refuses it with `ValueError`.
NAMES = (
    *PLAIN,
    *("", " ", "a ", " a", "a\t", "a\n", "a\r\n"),
    *("'", "a'b", 'a"b', "a`b", "a''", "a'; DROP TABLE agent_sessions; --", "a'||'b"),
    *("%", "a%", "_", "a_b", "axb", "*", "a*", "?", "[a]", "[!a]", "\\", "a\\", "a\\%", "a\\_"),
    *("/", "a/b", "../a", ".", "..", "~", "$a", "${a}", "{a}", "{a", "a}", "a:{b}"),
    *(":", "a:", ":a", "a:messages", "a:counter", "a:metadata", "a:main", "a|main", "main:a"),
    *("\x1f", "a\x1f", "a\x1fmain", "a\x1f:usage", "\x00", "a\x00", "a\x00b", "a\x00main"),
    *("null", "None", "0", "00", "-1", "1e3", "true", "undefined"),
    *("á", "a\u0301", "ß", "ss", "\u0131", "i", "I", "ä", "Ä", "\u202ea", "\ufeffa", "a\ufeff"),
    *("😀", "\ue000", "\ud7ff", "a\U0010ffff", "\U0010ffff", "\U0010ffff\U0010ffff"),
    *("x" * 10_000, "x" * 9_999, "x" * 9_999 + "y", "\x00" * 300, "%" * 300, "😀" * 300),
)

#: Names that cannot be encoded as UTF-8.
UNENCODABLE = ("\ud800", "a\udfff", "\udc80b")
