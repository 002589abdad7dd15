"""What a docstring says of a function and of its parameters: Google, NumPy or Sphinx style."""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

__all__ = ["Documented", "documented"]

_SECTION = re.compile(
    r"(args?|arguments|parameters|params|returns?|yields?|raises|examples?|notes?|attributes)",
    re.IGNORECASE,
)
_PARAMETERS = {"arg", "args", "arguments", "parameters", "params"}
_GOOGLE = re.compile(r"\*{0,2}(?P<name>\w+)\s*(?:\([^)]*\))?\s*:\s*(?P<text>.*)")
_NUMPY = re.compile(r"\*{0,2}(?P<name>\w+)\s*(?::\s*(?P<type>.*))?")
_SPHINX = re.compile(r":param\s+(?:[^:]*\s)?\*{0,2}(?P<name>\w+)\s*:\s*(?P<text>.*)")
_SPHINX_FIELD = re.compile(r":\w+[^:]*:")


class Documented(NamedTuple):
    """The text before the first section, and what is said of each parameter."""

    text: str
    parameters: dict[str, str]


def documented(docstring: str | None) -> Documented:
    """What `docstring` says; of a style that isn't known, all of it is the text."""
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
    return line.strip().lower() if underlined else None


def _parameters(lines: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    section, numpy, current = "", False, None
    for n, line in enumerate(lines):
        heading = _heading(lines, n)
        if heading is not None:
            section, numpy, current = heading, not line.endswith(":"), None
        elif section in _PARAMETERS:
            current = _entry(line, _NUMPY if numpy else _GOOGLE, found) or current
            if current and not _is_entry(line, numpy=numpy):
                found[current].append(line.strip())
        else:
            current = _sphinx(line, found, current)
    return {name: " ".join(filter(None, texts)).strip() for name, texts in found.items()}


def _is_entry(line: str, *, numpy: bool) -> bool:
    indent = len(line) - len(line.lstrip())
    pattern = _NUMPY if numpy else _GOOGLE
    # Deeper lines go on with the entry above, even where they hold a colon.
    shallow = indent == 0 if numpy else 0 < indent <= 4  # noqa: PLR2004 - the usual step
    return shallow and pattern.fullmatch(line.strip()) is not None


def _entry(line: str, pattern: re.Pattern[str], found: dict[str, list[str]]) -> str | None:
    if not _is_entry(line, numpy=pattern is _NUMPY):
        return None
    match = pattern.fullmatch(line.strip())
    if match is None:
        return None
    found[match["name"]] = [match.groupdict().get("text") or ""]
    return match["name"]


def _sphinx(line: str, found: dict[str, list[str]], current: str | None) -> str | None:
    match = _SPHINX.match(line)
    if match:
        found[match["name"]] = [match["text"]]
        return match["name"]
    if _SPHINX_FIELD.match(line):
        return None
    if current:
        found[current].append(line.strip())
    return current
