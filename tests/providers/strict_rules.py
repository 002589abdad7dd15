"""Rules that the strictest providers have for requests of any form."""

import json
import re
from collections.abc import Iterable

__all__ = ["TooLoose", "check_call", "check_ids", "check_says", "check_sendable"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DEEPEST = 300


class TooLoose(Exception):
    """The request breaks a rule: which, and where."""


def check_sendable(body: object) -> None:
    """Text is valid Unicode, numbers are finite, and the nesting is not too deep."""
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        raise TooLoose(f"the body is no JSON: {type(error).__name__}") from error
    level, levels = [body], 0
    while level:
        levels += 1
        holders = [value for value in level if isinstance(value, dict | list)]
        level = [v for h in holders for v in (h.values() if isinstance(h, dict) else h)]
    if levels > _DEEPEST:
        raise TooLoose("the body is nested too deeply")


def check_call(name: object, arguments: object) -> None:
    """A call names a function, and gives it a JSON object."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TooLoose(f"{name!r} does not match the pattern of names")
    try:
        # What the standard library reads beyond JSON, it has to be told not to.
        given = json.loads(arguments, parse_constant=_no_constant)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise TooLoose("the arguments are no JSON") from error
    if not isinstance(given, dict):
        raise TooLoose("the arguments are no object")
    check_sendable(given)


def _no_constant(name: str) -> object:
    raise ValueError(name)


def check_ids(ids: Iterable[object]) -> None:
    """Each call has an id, and no other call has it."""
    seen: set[str] = set()
    for call_id in ids:
        if not isinstance(call_id, str) or not _NAME.fullmatch(call_id):
            raise TooLoose(f"{call_id!r} does not match the pattern of ids")
        if call_id in seen:
            raise TooLoose(f"the id {call_id} was used before")
        seen.add(call_id)


def check_says(content: object, where: str) -> None:
    """Content is not empty, and not blank."""
    if isinstance(content, str) and content.strip():
        return
    if isinstance(content, list) and content:
        for part in content:
            text = part.get("text", part.get("refusal"))
            if text is not None and not (isinstance(text, str) and text.strip()):
                raise TooLoose(f"{where} has a part without text")
        return
    raise TooLoose(f"{where} says nothing")
