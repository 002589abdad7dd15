"""Key rings: keys by id, one of which wraps the data keys of conversations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

from turnlog.layers.encryption.key_files import read_key_file
from turnlog.layers.encryption.key_sets import KeySet, key_set_of
from turnlog.layers.encryption.key_values import (
    KEY_BYTES,
    MAKE_ONE,
    HoldsKeys,
    id_problem,
    key_bytes,
    key_problem,
)
from turnlog.layers.encryption.passphrase import Passphrase
from turnlog.layers.encryption.provider import WrongKey
from turnlog.layers.encryption.wrapping import Wrapped, WrappingKey, wrapped_of

__all__ = ["Keyring"]

Key: TypeAlias = bytes | str | Passphrase

_NOT_WRAPPED = (
    "the wrapped key was not made by a key ring, or is damaged: restore the log ':keys' of the "
    "conversation from a backup"
)
_DAMAGED = (
    "the wrapped key is damaged, or was copied from another conversation: restore the log ':keys' "
    "of the conversation from a backup"
)


class _Wrapping(Protocol):
    """The members that a key and a passphrase have in common."""

    form: int
    check: bytes

    async def to_wrap(self) -> tuple[bytes, WrappingKey]: ...
    async def to_unwrap(self, wrapped: Wrapped, /) -> WrappingKey: ...


class Keyring(HoldsKeys):
    """Keys by id. The primary one wraps new data keys, all of them unwrap.

    keys: by id, each 32 random bytes, their base64 as text, or a `Passphrase`.
    primary: the id of the key that wraps; needed if there are several. Their order doesn't say
        it: a key has to be everywhere before it wraps anything.

    Raises `ValueError`, which never quotes a key. A ring never changes; `repr` shows its ids.
    """

    def __init__(self, keys: Mapping[str, Key], *, primary: str | None = None) -> None:
        problem = _problem(keys, primary)
        self._keys = {} if problem else _wrapping(keys)
        self._primary = "" if problem else primary or next(iter(self._keys))
        del keys, primary  # the traceback of an error below shows no key
        if problem or (problem := _same_key(self._keys)):
            raise ValueError(problem)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Keyring:
        """The ring in a key file, which `turnlog keygen` makes.

        Raises `PermissionError` if others than its owner may read or write the file, or if it
        belongs to another user; `ValueError` for other content.
        """
        return cls._of(read_key_file(Path(path)), f"the key file {os.fspath(path)}")

    @classmethod
    def from_env(cls, name: str = "TURNLOG_KEYS") -> Keyring:
        """The ring in an environment variable, in the form of a key file."""
        if name not in os.environ:
            raise ValueError(
                f"the environment variable {name} is not set: set it to the content of a key "
                "file, which `turnlog keygen FILE` makes"
            )
        return cls._of(key_set_of(os.environ[name]), f"the environment variable {name}")

    @classmethod
    def from_passphrase(
        cls,
        passphrase: str,
        *,
        key_id: str = "passphrase",
        memory_kib: int = 65_536,
        iterations: int = 3,
        lanes: int = 4,
    ) -> Keyring:
        """A ring with a key that is derived from a passphrase; see `Passphrase`."""
        try:
            derived = Passphrase(
                passphrase, memory_kib=memory_kib, iterations=iterations, lanes=lanes
            )
        finally:
            del passphrase
        return cls({key_id: derived})

    @classmethod
    def _of(cls, found: KeySet | str, source: str) -> Keyring:
        if isinstance(found, KeySet):
            return cls(found.keys, primary=found.primary)
        raise ValueError(f"{source} can't be used: {found}")

    def with_key(self, key_id: str, key: Key, *, primary: bool = False) -> Keyring:
        """A ring with one more key, such as the passphrase that a key file takes over from."""
        try:
            added = Keyring({key_id: key})
        finally:
            del key
        if key_id in self._keys:
            raise ValueError(f"the key ring has a key {key_id!r}: give the new one another id")
        ring = object.__new__(Keyring)
        ring._keys = {**self._keys, **added._keys}
        ring._primary = key_id if primary else self._primary
        if problem := _same_key(ring._keys):
            raise ValueError(problem)
        return ring

    @property
    def primary(self) -> str:
        """The id of the key that wraps new data keys."""
        return self._primary

    @property
    def ids(self) -> list[str]:
        """The ids of all keys."""
        return list(self._keys)

    def __repr__(self) -> str:
        return f"Keyring({self.ids}, primary={self._primary!r})"

    def key_id(self, wrapped: bytes) -> str:
        """The id of the key that has wrapped `wrapped`; "" if it can't be read.

        If the ring has a different key with this id, " (another key)" is added.
        """
        found = wrapped_of(wrapped)
        if found is None:
            return ""
        own = self._keys.get(found.key_id)
        is_other = own is not None and bool(own.check) and own.check != found.check
        return f"{found.key_id} (another key)" if is_other else found.key_id

    async def wrap(self, session: str, key: bytes) -> bytes:
        """The 32 bytes `key`, encrypted for `session` with the primary key."""
        # Whatever is raised, its traceback shows no key.
        try:
            if len(key) != KEY_BYTES:
                raise ValueError(f"a data key has {KEY_BYTES} bytes")
            return await self._wrapped(session.encode(), key)
        finally:
            del key

    async def _wrapped(self, session: bytes, key: bytes) -> bytes:
        try:
            by = self._keys[self._primary]
            settings, wrapping = await by.to_wrap()
            form = Wrapped(by.form, self._primary, settings, wrapping.check, b"")
            return wrapping.wrap(form.clear(), session, key)
        finally:
            del key

    async def unwrap(self, session: str, wrapped: bytes) -> bytes:
        """The key that `wrap` was given. Raises `WrongKey`, with the cure, if it can't be got."""
        found = wrapped_of(wrapped)
        if found is None:
            raise WrongKey(_NOT_WRAPPED)
        by = self._keys.get(found.key_id)
        if by is None:
            raise WrongKey(self._missing(found.key_id))
        if by.form != found.form:
            raise WrongKey(_other(found.key_id))
        wrapping = await by.to_unwrap(found)
        if wrapping.check != found.check:
            raise WrongKey(_other(found.key_id))
        key = wrapping.unwrap(found, session.encode())
        if key is None:
            raise WrongKey(_DAMAGED)
        return key

    def _missing(self, key_id: str) -> str:
        return (
            f"its data key is wrapped by key {key_id!r}, which is not in the key ring (it has "
            f"{', '.join(map(repr, self._keys))}): add that key to the ring; it is needed until "
            "nothing is wrapped by it, which `turnlog reencrypt --dry-run` counts"
        )


def _other(key_id: str) -> str:
    return (
        f"the key {key_id!r} is not the key {key_id!r} that wrapped its data key: use the key or "
        "the key ring that wrote the conversation; two keys must never have the same id"
    )


def _problem(keys: object, primary: object) -> str | None:
    if not isinstance(keys, Mapping) or not keys:
        return f"a key ring is made from a dict of ids and keys, with a key at least: {MAKE_ONE}"
    for key_id, key in keys.items():
        if problem := id_problem(key_id):
            return problem
        if not isinstance(key, Passphrase) and (problem := key_problem(key)):
            return f"key {key_id!r} {problem}"
    return _primary_problem(keys, primary)


def _primary_problem(keys: Mapping[str, object], primary: object) -> str | None:
    if (primary is None and len(keys) == 1) or (primary is not None and primary in keys):
        return None
    ids = ", ".join(map(repr, keys))
    if primary is None:
        return f"a key ring with several keys needs primary=, the one that wraps: one of {ids}"
    return f"the primary key is not in the key ring: primary= is one of {ids}"


def _wrapping(keys: Mapping[str, Key]) -> dict[str, _Wrapping]:
    return {
        key_id: key if isinstance(key, Passphrase) else WrappingKey.of(key_bytes(key))
        for key_id, key in keys.items()
    }


def _same_key(keys: Mapping[str, _Wrapping]) -> str | None:
    """The problem if one key stands under two ids: a rotation would change nothing."""
    seen: dict[bytes, str] = {}
    for key_id, key in keys.items():
        if key.check and key.check in seen:
            return f"{seen[key.check]!r} and {key_id!r} are the same key: make a new one"
        seen[key.check] = key_id
    return None
