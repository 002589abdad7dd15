"""Key sets: the JSON of key files and of TURNLOG_KEYS, with keys as base64.

    {"primary": "2026-11", "keys": {"2026-10": "<base64>", "2026-11": "<base64>"}}

Nothing here needs the extra `encrypt`, so `turnlog keygen` doesn't either.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from turnlog.layers.encryption.key_values import (
    KEY_BYTES,
    HoldsKeys,
    id_problem,
    key_bytes,
    key_problem,
)

__all__ = ["KeySet", "key_set_of"]

_FORM = 'write {"primary": ID, "keys": {ID: BASE64, …}}, as `turnlog keygen FILE` does'
_FIELDS = {"primary", "keys"}


@dataclass(frozen=True)
class KeySet(HoldsKeys):
    """Keys by id, and the id of the one that wraps new data keys. Only ids are shown.

    keys: the base64 of each key, by id.
    """

    primary: str
    keys: Mapping[str, str] = field(repr=False)

    @classmethod
    def new(cls, key_id: str) -> KeySet:
        """A set with one random key."""
        return cls(key_id, _with_random({}, key_id))

    @property
    def ids(self) -> list[str]:
        return list(self.keys)

    def with_new(self, key_id: str) -> KeySet:
        """This set with one more random key, which is not the primary one."""
        return KeySet(self.primary, _with_random(self.keys, key_id))

    def with_primary(self, key_id: str) -> KeySet:
        """This set with another primary key."""
        return KeySet(key_id, self.keys)

    def encoded(self) -> bytes:
        """The JSON that `key_set_of` reads."""
        stored = {"primary": self.primary, "keys": dict(self.keys)}
        return json.dumps(stored, indent=2, ensure_ascii=False).encode() + b"\n"


def key_set_of(stored: bytes | str) -> KeySet | str:
    """The key set in `stored`, or the problem with it, which quotes none of it.

    The problem is returned: an error raised here would carry the keys in its traceback.
    """
    try:
        found = json.loads(stored, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return f"it is not JSON: {_FORM}"
    problem = _problem(found)
    return problem or KeySet(found["primary"], found["keys"])


class _Duplicates:
    """Stands for a JSON object that has a name twice."""


def _object(pairs: list[tuple[str, object]]) -> object:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Duplicates()


def _problem(found: object) -> str | None:
    if isinstance(found, _Duplicates):
        return "a field stands in it twice: keep one"
    if not isinstance(found, dict) or found.keys() != _FIELDS:
        return f"it needs the fields primary and keys, and no others: {_FORM}"
    if isinstance(found["keys"], _Duplicates):
        return "an id stands in it twice: give every key an id of its own"
    if not isinstance(found["keys"], dict) or not found["keys"]:
        return f"it holds no keys: {_FORM}"
    return _keys_problem(found["keys"]) or _primary_problem(found["primary"], found["keys"])


def _keys_problem(keys: dict[str, object]) -> str | None:
    for key_id, key in keys.items():
        if problem := id_problem(key_id):
            return problem
        if problem := key_problem(key):
            return f"key {key_id!r} {problem}"
    if len({key_bytes(key) for key in keys.values() if isinstance(key, str)}) < len(keys):
        return "one key stands in it under two ids: make a new one with `turnlog keygen FILE`"
    return None


def _primary_problem(primary: object, keys: dict[str, object]) -> str | None:
    if isinstance(primary, str) and primary in keys:
        return None
    return f"its primary key is not among its keys ({', '.join(keys)}): name one of them"


def _with_random(keys: Mapping[str, str], key_id: str) -> dict[str, str]:
    return {**keys, key_id: b64encode(os.urandom(KEY_BYTES)).decode()}
