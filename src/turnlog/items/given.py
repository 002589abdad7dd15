"""Given arguments: checks of them, and how an error names one.

It is named by its type and never by its contents.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from uuid import UUID

__all__ = [
    "check_branch",
    "check_int",
    "check_int_or_none",
    "check_key",
    "check_mapping",
    "check_number_or_none",
    "check_positive_seconds",
    "check_seconds",
    "check_session_id",
    "given",
    "is_of_sdk",
    "scheme_of",
]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")


def given(value: object) -> str:
    """The kind of thing that `value` is, with an article. It never quotes the value.

    Of a URL, the scheme is told; a class of the OpenAI Agents SDK is told apart from ours.
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, str) and scheme_of(value):
        return f"a URL ({scheme_of(value)}://…)"
    if isinstance(value, FunctionType | MethodType | BuiltinFunctionType):
        return "a function"
    name = "None" if value is None else type(value).__name__
    if isinstance(value, bytes | bytearray | None):
        return name
    if is_of_sdk(value):
        return f"the {name} of openai-agents"
    return f"{'an' if name[0] in 'AEIOUaeio' else 'a'} {name}"


def scheme_of(text: str) -> str:
    """The scheme of a URL; "" if `text` is none."""
    found = _SCHEME.match(text)
    return found[1] if found else ""


def is_of_sdk(value: object) -> bool:
    """Whether `value` is of a class that the package `agents`, the SDK, exports.

    Not told by the module's name alone: people have packages of that name themselves.
    """
    sdk = sys.modules.get("agents")
    return sdk is not None and any(
        kind.__module__.startswith("agents.") and getattr(sdk, kind.__name__, None) is kind
        for kind in type(value).__mro__
    )


def check_session_id(session_id: object, made: str) -> None:
    """Raise `TypeError` unless it is a str.

    made: the name of the class that is made, whose first argument it is.
    """
    if isinstance(session_id, str):
        return
    plain = isinstance(session_id, int | UUID) and not isinstance(session_id, bool)
    cure = "use str(…)" if plain else f"it comes first, as in {made}(session_id, …)"
    raise TypeError(f"session_id must be a str, not {given(session_id)}: {cure}")


def check_mapping(name: str, value: object) -> None:
    """Raise `TypeError` unless `value`, the argument `name`, is a dict or the like."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, not {given(value)}: write {{name: value}}")


def check_branch(name: object) -> None:
    """Raise `TypeError` or `ValueError` unless a branch can have this name."""
    if not isinstance(name, str):
        raise TypeError(f"a branch is named by a str, not {given(name)}")
    if not name:
        raise ValueError('the name of the branch is empty: the first branch is "main"')
    if name.startswith(":"):
        raise ValueError(f"a branch can't be named {name!r}: names with ':' in front are reserved")


def check_int(name: str, value: object, least: int | None = None) -> int:
    """`value`, the argument `name`. Raises `TypeError` unless it is an int, and no bool.

    least: `ValueError` is raised below it; None for no bound.
    """
    return _checked(name, value, least, "an int", "")


def check_int_or_none(name: str, value: object, least: int | None = None) -> None:
    """The same for an argument that may be None, which means that there is no bound."""
    if value is not None:
        _checked(name, value, least, "an int or None", ", or None for no bound")


def _checked(name: str, value: object, least: int | None, kind: str, otherwise: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        cure = ": use int(…)" if isinstance(value, str | float) else ""
        raise TypeError(f"{name} must be {kind}, not {given(value)}{cure}")
    if least is not None and value < least:
        raise ValueError(f"{name} is {value}; it must be at least {least}{otherwise}")
    return value


def check_number_or_none(name: str, value: object) -> None:
    """Raise `TypeError` unless `value`, the argument `name`, is a number or None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        cure = ": use float(…)" if isinstance(value, str) else ""
        raise TypeError(f"{name} must be a number or None, not {given(value)}{cure}")


def check_seconds(name: str, value: object, example: str) -> None:
    """Raise `TypeError` unless `value`, the argument `name`, is a number.

    example: what to write, for the error.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {given(value)}: write {example}")


def check_positive_seconds(name: str, value: float, example: str) -> None:
    """The same, and `ValueError` unless it is positive and finite."""
    check_seconds(name, value, example)
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be positive and finite, and is {value}: write {example}")


def check_key(key: object) -> None:
    """Raise `TypeError` or `ValueError` unless `key` can name a run or a write."""
    if not isinstance(key, str):
        cure = "use key.decode()" if isinstance(key, bytes) else "use str(…)"
        raise TypeError(f"key must be a str, not {given(key)}: {cure}")
    if not key:  # an absent header, probably: all requests would be taken for one
        raise ValueError(
            "key is empty: give the id of the request or message, or None to go without a key"
        )
