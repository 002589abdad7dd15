"""Docstrings: the descriptions of a function and its parameters, in three common styles.

Google's, NumPy's and Sphinx's.
"""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

__all__ = ["Documented", "documented"]

_SECTION = re.compile(
    r"(args?|arguments|parameters|params|other parameters|returns?|yields?|raises|warns|warnings?"
    r"|examples?|notes?|attributes|see also|references)",
    re.IGNORECASE,
)
_PARAMETERS = {"arg", "args", "arguments", "parameters", "params", "other parameters"}
_TYPE = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
_GOOGLE = re.compile(rf"\*{{0,2}}(?P<names>\w+)\s*(?:{_TYPE})?\s*:\s*(?P<text>.*)")
_NUMPY = re.compile(r"(?P<names>\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::\s*(?P<type>.*))?")
_SPHINX = re.compile(r":param\s+(?:[^:]*\s)?\*{0,2}(?P<name>\w+)\s*:\s*(?P<text>.*)")
_SPHINX_FIELD = re.compile(r":\w+[^:]*:")


class Documented(NamedTuple):
    """The text before the first section, and the description of each parameter."""

    text: str
    parameters: dict[str, str]


def documented(docstring: str | None) -> Documented:
    """`docstring` in its parts; in an unknown style, all of it is the text."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    at = next((n for n in range(len(lines)) if _begins_fields(lines, n)), len(lines))
    text = "\n".join(lines[:at]).strip()
    return Documented(text, _parameters(lines[at:]))


def _begins_fields(lines: list[str], n: int) -> bool:
    return _heading(lines, n) is not None or _SPHINX_FIELD.match(lines[n]) is not None


def _heading(lines: list[str], n: int) -> str | None:
    """The name of the section that begins at line `n`, None if none does."""
    line = lines[n]
    if line.endswith(":") and _SECTION.fullmatch(line[:-1]):
        return line[:-1].lower()
    underlined = n + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[n + 1].strip())
    return line.strip().lower() if underlined and _SECTION.fullmatch(line.strip()) else None


def _parameters(lines: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    section: _Section | None = None
    current: list[str] = []
    for n, line in enumerate(lines):
        heading = _heading(lines, n)
        if heading is not None:
            section, current = _Section(heading, lines[n:]), []
            continue
        if section is not None and section.is_over(line):
            section, current = None, []
        if section is None:
            current = _sphinx(line, found, current)
        elif section.is_of_parameters:
            entry = section.entry(line)
            current = _begun(entry, found) if entry else _continued(line, found, current)
    return {name: " ".join(filter(None, texts)).strip() for name, texts in found.items()}


class _Section:
    """A section under a heading, Google's or NumPy's, which underlines it."""

    def __init__(self, heading: str, lines: list[str]) -> None:
        is_numpy = not lines[0].endswith(":")
        self.is_of_parameters = heading in _PARAMETERS
        self._pattern = _NUMPY if is_numpy else _GOOGLE
        # Deeper lines continue the entry above, even if they contain a colon.
        entries = [line for line in lines[2 if is_numpy else 1 :] if line.strip()]
        self._indent = _indent(entries[0]) if entries else 0

    def is_over(self, line: str) -> bool:
        """Whether `line` is indented less than the entries."""
        return bool(line.strip()) and _indent(line) < self._indent

    def entry(self, line: str) -> re.Match[str] | None:
        """The entry that begins in `line`, if one does."""
        return self._pattern.fullmatch(line.strip()) if _indent(line) == self._indent else None


def _begun(entry: re.Match[str], found: dict[str, list[str]]) -> list[str]:
    names = [name.strip().lstrip("*") for name in entry["names"].split(",")]
    for name in names:
        found[name] = [entry.groupdict().get("text") or ""]
    return names


def _continued(line: str, found: dict[str, list[str]], current: list[str]) -> list[str]:
    for name in current:
        found[name].append(line.strip())
    return current


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _sphinx(line: str, found: dict[str, list[str]], current: list[str]) -> list[str]:
    match = _SPHINX.match(line)
    if match:
        found[match["name"]] = [match["text"]]
        return [match["name"]]
    if _SPHINX_FIELD.match(line):
        return []
    return _continued(line, found, current)
