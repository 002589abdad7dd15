"""Shared by all formats: call ids, provider data, reasoning, and what is left out."""

from __future__ import annotations

import hashlib
import logging
import re
import uuid
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeAlias, cast

from turnlog.items.deep_json import dumper
from turnlog.items.json import Item
from turnlog.items.text import parts_of

__all__ = [
    "NOT_SHOWN",
    "Message",
    "Sent",
    "call_id_of",
    "left_out",
    "new_call_id",
    "plain",
    "portable_id",
    "provider_data_of",
    "summary_of",
]

#: One message of another format. Any: as in items, its values are any JSON.
Message: TypeAlias = dict[str, Any]

#: The same, in what users hand to a client. Its parameter is a union of typed dicts, to which
#: no dict is assignable: Any is the one type that the client takes also where it isn't installed.
Sent: TypeAlias = Any

#: Stands for a message that a format can't express at all, so that the order stays.
NOT_SHOWN = "(something that can't be shown here)"

_logger = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_PORTABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def provider_data_of(item: Item) -> Item:
    """The data in `item` that only the provider it came from needs back."""
    data = item.get("provider_data")
    return data if isinstance(data, dict) else {}


def plain(given: object, what: str) -> Message:
    """A message or block as a dict of its own: given as a dict, or as an object of a client."""
    dump = dumper(given)
    if dump is None:
        raise TypeError(
            f"{what} must be dicts or objects of the client's, not {type(given).__name__}"
        )
    return cast("Message", dump())


def summary_of(reasoning: Item) -> str:
    """The readable text of a reasoning item, "" if it has none."""
    return "\n\n".join(_reasoning_texts(reasoning))


def _reasoning_texts(reasoning: Item) -> Iterator[str]:
    for field in ("summary", "content"):
        texts = [str(part.get("text", "")) for part in parts_of(reasoning.get(field))]
        if texts:
            yield from texts
            return


def portable_id(call_id: str) -> str:
    """`call_id` as every provider accepts it: unchanged, or a digest of it."""
    if _PORTABLE.fullmatch(call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"call_{digest[:24]}"


def call_id_of(item: Item) -> str:
    """The id that a call and its output share, as every provider accepts it."""
    return portable_id(str(item.get("call_id") or ""))


def new_call_id() -> str:
    """An id for a call to which the provider gave none."""
    return f"call_{uuid.uuid4().hex[:24]}"


def left_out(what: object, where: str) -> None:
    """Log, once, that a kind of item or part can't be expressed in the format `where`."""
    name = str(what)
    # A text that doesn't look like a type may be content, which is never logged.
    _log_once(name if _NAME.fullmatch(name) else "unknown", where)


@lru_cache(maxsize=256)
def _log_once(name: str, where: str) -> None:
    _logger.warning("%s can't express %r: it is left out there, and stays stored", where, name)
