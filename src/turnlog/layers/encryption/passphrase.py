"""Passphrases as keys: Argon2id over a passphrase, with the salt in every wrapped data key."""

from __future__ import annotations

import asyncio
import os
import unicodedata
from struct import Struct

from turnlog.layers.encryption.key_values import KEY_BYTES, HoldsKeys
from turnlog.layers.encryption.provider import WrongKey
from turnlog.layers.encryption.wrapping import PASSPHRASE_FORM, Wrapped, WrappingKey
from turnlog.loops.arrival import in_order_of_arrival

try:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
except ImportError as error:
    raise ImportError("encryption needs cryptography: pip install 'turnlog[encrypt]'") from error

__all__ = ["Passphrase"]

_CHARACTERS = 16
# Below, guessing would be cheaper than OWASP advises. Above, a tampered record could take all the
# memory of the process, or keep a thread busy for minutes.
_MEMORY_KIB, _ITERATIONS, _LANES = range(19_456, 2**20 + 1), range(2, 11), range(1, 17)

#: Memory in KiB, iterations, lanes, salt.
_SETTINGS = Struct(">IIB16s")
_SALT = 16
#: For how many salts the derived keys are remembered; the oldest is forgotten first.
_REMEMBERED = 256

_OUT_OF_BOUNDS = (
    "the wrapped key is damaged: it asks for more or less work than a passphrase may cost; "
    "restore the log ':keys' from a backup"
)


class Passphrase(HoldsKeys):
    """A passphrase that wraps data keys, through Argon2id.

    passphrase: at least 16 characters, such as six random words. Its Unicode form doesn't matter.
    memory_kib, iterations, lanes: what a guess costs. They are stored with the salt, so they can be
        changed at any time. By default 64 MiB, about a tenth of a second.

    The salt lies in every data key that it wraps, so no other file is needed. A process draws one
    or takes over the one it reads first. For each salt that it meets, it derives once, on a thread.
    """

    form = PASSPHRASE_FORM
    #: Nothing tells a passphrase from others before it is derived.
    check = b""

    def __init__(
        self, passphrase: str, *, memory_kib: int = 65_536, iterations: int = 3, lanes: int = 4
    ) -> None:
        self._cost = memory_kib, iterations, lanes
        self._writing: bytes | None = None
        self._known: dict[bytes, WrappingKey] = {}
        # Whatever is raised, its traceback does not show the passphrase.
        try:
            if problem := _problem(passphrase) or _cost_problem(*self._cost):
                raise ValueError(problem)
            # Made once here, so that an OpenSSL without Argon2id is told at the start.
            _argon2id(_SETTINGS.pack(*self._cost, bytes(_SALT)))
            self._secret = unicodedata.normalize("NFC", passphrase).encode()
        finally:
            del passphrase

    def __repr__(self) -> str:
        return "Passphrase(…)"

    async def to_wrap(self) -> tuple[bytes, WrappingKey]:
        """The settings to store, and the key that wraps under them."""
        if self._writing is None:
            self._writing = _SETTINGS.pack(*self._cost, os.urandom(_SALT))
        settings = self._writing
        return settings, await self._key(settings)

    async def to_unwrap(self, wrapped: Wrapped) -> WrappingKey:
        """The key that unwraps what was wrapped under the settings of a wrapped key.

        Raises `WrongKey`, and derives nothing, if its cost is out of bounds.
        """
        *cost, _ = _SETTINGS.unpack(wrapped.settings)
        if _cost_problem(*cost):
            raise WrongKey(_OUT_OF_BOUNDS)
        key = await self._key(wrapped.settings)
        if key.check == wrapped.check and self._writing is None and tuple(cost) == self._cost:
            # So that many short processes share one salt, and a reader derives once for all.
            self._writing = wrapped.settings
        return key

    async def _key(self, settings: bytes) -> WrappingKey:
        if settings not in self._known:
            # One at a time, because each takes much memory.
            async with in_order_of_arrival(self):
                if settings not in self._known:
                    return await asyncio.to_thread(self._derived, settings)
        return self._known[settings]

    def _derived(self, settings: bytes) -> WrappingKey:
        """The key for `settings`. It is remembered here, so that a cancelled task loses nothing."""
        key = WrappingKey.of(_argon2id(settings).derive(self._secret))
        known = {**self._known, settings: key}
        while len(known) > _REMEMBERED:
            del known[next(iter(known))]
        self._known = known
        return key


def _argon2id(settings: bytes) -> Argon2id:
    memory, iterations, lanes, salt = _SETTINGS.unpack(settings)
    return Argon2id(
        salt=salt, length=KEY_BYTES, memory_cost=memory, iterations=iterations, lanes=lanes
    )


def _problem(passphrase: object) -> str | None:
    if not isinstance(passphrase, str):
        return "a passphrase is text; for the 32 bytes of a key, use Keyring({id: key})"
    if len(set(passphrase)) < _CHARACTERS // 2 or len(passphrase) < _CHARACTERS:
        return (
            f"the passphrase has fewer than {_CHARACTERS} characters, or repeats a few: use "
            "six random words or more, or make a key with `turnlog keygen FILE`"
        )
    if any("\ud800" <= character <= "\udfff" for character in passphrase):
        return "the passphrase holds a lone surrogate, which UTF-8 can't encode"
    return None


def _cost_problem(memory_kib: int, iterations: int, lanes: int) -> str | None:
    if memory_kib in _MEMORY_KIB and iterations in _ITERATIONS and lanes in _LANES:
        return None
    return (
        f"memory_kib must be {_bounds(_MEMORY_KIB)}, iterations {_bounds(_ITERATIONS)} and "
        f"lanes {_bounds(_LANES)}"
    )


def _bounds(values: range) -> str:
    return f"{values[0]} to {values[-1]}"
