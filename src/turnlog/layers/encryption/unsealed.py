"""Payloads that are not sealed: which of them the layer shows, beside its own records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from turnlog.items.json import parsed
from turnlog.layers.encryption.sdk_format import (
    PLAIN,
    REFUSED,
    EnvelopeKey,
    WrongEnvelopeKey,
    envelope_key,
)
from turnlog.records import Log, Unopened

__all__ = [
    "Reading",
    "Reads",
    "SDKItems",
    "check_sdk_key",
    "is_in_clear",
    "may_be_wrong_key",
    "reads_of",
]

#: Opens a payload that is not sealed in this format, or says why it is not shown.
Reads: TypeAlias = Callable[[Log, bytes], bytes]

_REFUSED_HERE = "it is not encrypted, and only encrypted records are read here"

Reading = Literal["ours", "ours+sdk", "ours+plain"]

#: For how many sessions the derived keys are remembered.
_REMEMBERED = 1000


class SDKItems:
    """Opens what the SDK's `EncryptedSession` wrote under the id of the session that holds it.

    Items of any age are opened.

    key: as the SDK takes it; or its 32 bytes.
    """

    def __init__(self, key: str | bytes) -> None:
        problem = envelope_key("", key)
        self._key = b"" if isinstance(problem, str) else key
        del key  # so that it is not in the frame of an error
        if isinstance(problem, str):
            raise ValueError(problem)  # noqa: TRY004 - the text says what is wrong with the key
        self._keys: dict[str, EnvelopeKey] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __call__(self, log: Log, payload: bytes) -> bytes:
        try:
            stored = parsed(payload)
        except ValueError:
            return Unopened(payload, PLAIN)
        [opened] = self._key_of(log.session).open_all([stored])
        return Unopened(payload, opened.problem) if opened.payload is None else opened.payload

    def _key_of(self, session: str) -> EnvelopeKey:
        known = self._keys.get(session)
        if known is None:
            derived = envelope_key(session, self._key)
            if isinstance(derived, str):
                raise ValueError(derived)
            if len(self._keys) >= _REMEMBERED:
                self._keys.clear()
            known = self._keys[session] = derived
        return known


def reads_of(reads: str, sdk_key: str | bytes | None) -> Reads:
    """What opens payloads that are not sealed, under the policy `reads`."""
    try:
        if problem := _problem(reads, sdk_key is not None):
            raise ValueError(problem)
        if sdk_key is not None:
            return SDKItems(sdk_key)
        return plain if reads == "ours+plain" else refused
    finally:
        del sdk_key  # so that it is not in the frame of an error


def _problem(reads: str, has_key: bool) -> str:
    if reads not in {"ours", "ours+sdk", "ours+plain"}:
        return 'reads must be "ours", "ours+sdk" or "ours+plain"'
    if has_key != (reads == "ours+sdk"):
        return 'sdk_key is the key of the SDK\'s EncryptedSession: give it with reads="ours+sdk"'
    return ""


def plain(_: Log, payload: bytes) -> bytes:
    """The payload itself."""
    return payload


def refused(_: Log, payload: bytes) -> bytes:
    """The payload, not opened."""
    return Unopened(payload, _REFUSED_HERE)


def is_in_clear(opened: bytes) -> bool:
    """Whether a payload is not shown because it was stored without any encryption."""
    return isinstance(opened, Unopened) and opened.problem in {_REFUSED_HERE, PLAIN}


def may_be_wrong_key(opened: Sequence[bytes]) -> bool:
    """Whether nothing was opened, and there is an item of the SDK that its key should open."""
    return any(isinstance(each, Unopened) and each.problem == REFUSED for each in opened) and all(
        isinstance(each, Unopened) for each in opened
    )


def check_sdk_key(log: Log, opened: Sequence[bytes]) -> None:
    """Raise `WrongEnvelopeKey` if `opened`, all of a log, shows that the SDK's key is wrong."""
    if may_be_wrong_key(opened):
        raise WrongEnvelopeKey(log.session)
