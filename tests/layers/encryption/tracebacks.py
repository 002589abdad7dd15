"""Tracebacks, searched for keys: what a crash reporter would send along with an error."""

import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from types import FrameType
from urllib.parse import quote

__all__ = ["forms", "shown_by"]


def forms(secret: bytes | str) -> set[str]:
    """The texts in which a secret may appear."""
    raw = secret.encode() if isinstance(secret, str) else secret
    encoded = {b64encode(raw).decode(), urlsafe_b64encode(raw).decode(), raw.hex()}
    return {repr(raw)[2:-1], raw.decode("latin-1"), *encoded, *map(quote, encoded)}


def shown_by(error: BaseException) -> str:
    """All that an error shows: texts, attributes, and the locals of each frame but the tests'.

    Its cause and its context belong to it, also where they are suppressed.
    """
    return "\n".join(_shown(error, set()))


def _shown(error: BaseException, seen: set[int]) -> Iterator[str]:
    if id(error) in seen:
        return
    seen.add(id(error))
    yield from (repr(error), str(error), repr(error.args), repr(vars(error)))
    if isinstance(error, UnicodeError):
        yield repr(getattr(error, "object", ""))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "/tests/" not in frame.f_code.co_filename:
            yield _locals(frame)
    for other in (error.__cause__, error.__context__):
        if other is not None:
            yield from _shown(other, seen)


def _locals(frame: FrameType) -> str:
    return repr({name: repr(value) for name, value in frame.f_locals.items()})
