"""What every format here has in common: kinds of items, their texts, names of calls."""

from __future__ import annotations

import hashlib
import logging
import re
import uuid
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeAlias

from turnlog.items.json import Item
from turnlog.items.text import parts_of

__all__ = [
    "NOT_SHOWN",
    "Message",
    "call_id_of",
    "left_out",
    "new_call_id",
    "portable_id",
    "provider_data_of",
    "summary_of",
]

#: One message of another format. Its values are whatever JSON holds, as with items.
Message: TypeAlias = dict[str, Any]

#: What stands for a message of which nothing has a form: without it, the order would change.
NOT_SHOWN = "(something that can't be shown here)"

_logger = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_PORTABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def provider_data_of(item: Item) -> Item:
    """What `item` holds that only the provider it came from wants back."""
    data = item.get("provider_data")
    return data if isinstance(data, dict) else {}


def summary_of(reasoning: Item) -> str:
    """What a reasoning item shows of the reasoning, "" if nothing."""
    return "\n\n".join(_reasoning_texts(reasoning))


def _reasoning_texts(reasoning: Item) -> Iterator[str]:
    for field in ("summary", "content"):
        texts = [str(part.get("text", "")) for part in parts_of(reasoning.get(field))]
        if texts:
            yield from texts
            return


def portable_id(call_id: str) -> str:
    """`call_id` as every provider takes it: unchanged, or a name of our own made from it."""
    if _PORTABLE.fullmatch(call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"call_{digest[:24]}"


def call_id_of(item: Item) -> str:
    """The name that ties a call and its output together."""
    return portable_id(str(item.get("call_id") or ""))


def new_call_id() -> str:
    """A name for a call whose provider gave it none."""
    return f"call_{uuid.uuid4().hex[:24]}"


def left_out(what: object, where: str) -> None:
    """Log, once, that a kind of item or part has no form in the format `where`."""
    name = str(what)
    # A type that doesn't look like one may be content.
    _log_once(name if _NAME.fullmatch(name) else "unknown", where)


@lru_cache(maxsize=256)
def _log_once(name: str, where: str) -> None:
    _logger.warning("%s has no form for %r: left out there, kept in the log", where, name)
