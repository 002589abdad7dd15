"""URLs of stores: their parts, the options behind the question mark, and paths of files.

All entry points read URLs with these, so that each form and option means the same everywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from turnlog.items.given import check_positive_seconds, check_seconds, given

__all__ = [
    "SCHEMES",
    "Options",
    "check_edges",
    "check_path",
    "check_patience",
    "expanded",
    "lease_seconds",
    "named",
    "options_of",
    "refuse_unknown",
    "seconds",
    "split",
    "text_of",
    "whole",
    "without",
]

#: The options of a URL by name, as text.
Options: TypeAlias = dict[str, str]

#: The schemes of the stores.
SCHEMES = (
    "sqlite",
    "memory",
    "postgresql",
    "postgres",
    "mysql",
    "mariadb",
    "dapr",
    "redis",
    "rediss",
    "unix",
)

#: How a URL goes on behind its scheme, if it has a user and a password.
_LOGIN = re.compile(r"[^/:@]*:[^/@]+@[^/@]")

#: How a path goes on that somebody has given options, as if it were a URL.
_OPTIONS = re.compile(r"\.\w+\?[a-z_]+=")

#: Other words for options, which URLs have had before.
_ALIASES = {"timeout": "patience", "prefix": "key_prefix"}


def split(url: str) -> SplitResult:
    """The parts of a URL. Raises `ValueError`, without its password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # Python's own message may contain the password.
        raise ValueError(
            "the URL's host, port or user can't be parsed: write special characters of a password "
            "in their %-form, such as %40 for @"
        ) from None
    if parts.fragment:
        raise ValueError("the URL has a # in it; write %23 for a # in a name")
    return parts


def text_of(url: object) -> str:
    """The URL or path as text. Raises `TypeError` for what is neither, such as a client."""
    if isinstance(url, str | os.PathLike):
        text = os.fspath(url)
        if isinstance(url, str) and not os.path.lexists(text):  # else it is used already
            check_edges(text)
        return text
    cure = 'write "conversations.db", or a URL such as "postgresql://…"'
    if hasattr(url, "execute_command"):
        cure = "give a client as RedisSession(session_id, client)"
    elif hasattr(url, "dialect"):
        cure = "give an engine as SQLAlchemySession(session_id, engine)"
    raise TypeError(f"a URL is a str, not {given(url)}: {cure}")


def check_edges(text: str) -> None:
    """Raise `ValueError` for white space in front of a URL or path, or behind it.

    It comes from the file or variable that the text was read from.
    """
    if text != text.strip():
        raise ValueError(
            "the URL or path begins or ends with white space, such as the end of a line: leave "
            "it out, as url.strip() does; for a file of such a name, give a Path"
        )


def check_path(text: str) -> None:
    """Raise `ValueError` for a path that looks like a URL without its slashes or its scheme."""
    scheme, colon, _ = text.partition(":")
    if colon and scheme == "file":
        raise ValueError("write the path without file: in front of it, or ./file: if you mean it")
    if _OPTIONS.search(text):
        raise ValueError("options need a URL: write sqlite:///file.db?name=value")
    if colon and scheme in SCHEMES:
        raise ValueError(f"write {scheme}:// for a URL, or ./{scheme}: for a path of that name")
    if _LOGIN.match(text):  # a file of that name would tell the password
        raise ValueError(
            "the URL has no scheme: write postgresql://… or another one in front of it"
        )


def options_of(parts: SplitResult) -> Options:
    """The options of a URL, by the names that constructors have for them."""
    return named(parse_qsl(parts.query, keep_blank_values=True))


def named(options: Mapping[str, object] | Iterable[tuple[str, object]]) -> Options:
    """Options by the names that constructors have for them."""
    found: Options = {}
    for name, value in dict(options).items():
        known = _ALIASES.get(name, name)
        if known in found:
            raise ValueError(f"{name} and {known} are the same option: give one of them")
        found[known] = str(value)
    return found


def without(parts: SplitResult, ours: Iterable[str]) -> str:
    """The URL without `ours`, the options that are not for the driver."""
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = [pair for pair in pairs if _ALIASES.get(pair[0], pair[0]) not in ours]
    # Not with urlunsplit, which drops the slashes of a URL without a host.
    return f"{parts.scheme}://{parts.netloc}{parts.path}{'?' if query else ''}{urlencode(query)}"


def refuse_unknown(options: Iterable[str], ours: Iterable[str], theirs: Iterable[str] = ()) -> None:
    """Raise `ValueError` for an option that is neither ours nor the driver's."""
    known, driven = sorted(ours), sorted({*theirs} - {*ours})
    unknown = sorted({*options} - {*known, *driven})
    if unknown:
        others = f"; and of the driver: {', '.join(driven)}" if driven else ""
        raise ValueError(
            f"unknown option {', '.join(unknown)}; known are {', '.join(known)}{others}"
        )


def whole(options: Options, name: str) -> int | None:
    """The whole number of an option; None if it isn't given."""
    text = options.get(name)
    try:
        return None if text is None else int(text)
    except ValueError:
        raise ValueError(
            f"{name} must be a whole number of seconds, such as {name}=86400"
        ) from None


def seconds(options: Options, name: str, default: float) -> float:
    """The seconds of an option, 0 or more."""
    text = options.get(name)
    if text is None:
        check_seconds(name, default, "2.5")
    try:
        found = default if text is None else float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise ValueError(f"{name} must be a number of seconds, such as {name}=2.5")
    return found


def lease_seconds(options: Options) -> float | None:
    """The seconds of the option `lease_seconds`; None if it isn't given."""
    if "lease_seconds" not in options:
        return None
    found = seconds(options, "lease_seconds", 0)
    check_positive_seconds("lease_seconds", found, "10.0")
    return found


def check_patience(patience: float) -> float:
    """`patience`, if it is a number of seconds. Raises `TypeError` or `ValueError`."""
    check_seconds("patience", patience, "2.5")
    if not patience >= 0:
        raise ValueError(f"patience must be 0 seconds or more, not {patience}")
    return patience


def expanded(path: str | os.PathLike[str]) -> Path:
    """`path`, with the home directory in place of a "~" in front of its first slash.

    Nothing else is expanded: a file "~" or "~a.db" is meant literally. For a folder of the name
    "~" write its absolute path.
    """
    found = Path(path)
    return found.expanduser() if found.parts[:1] == ("~",) and len(found.parts) > 1 else found
