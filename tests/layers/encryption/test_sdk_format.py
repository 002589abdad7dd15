"""The SDK's format, against the SDK's own class: keys, envelopes, ages."""

import base64
from typing import Any

import agents
import pytest
from agents.extensions.memory import EncryptedSession
from cryptography.fernet import InvalidToken

from turnlog import Unreadable
from turnlog.items.json import encode_all
from turnlog.layers.encryption.sdk_format import (
    EnvelopeKey,
    Opened,
    UnreadableEnvelope,
    WrongEnvelopeKey,
    envelope_key,
    was_wrong_key,
)

KEY = bytes(range(32))
ITEMS = [{"role": "user", "content": "Grüße"}, {"n": 2**70, "empty": {}}]


def key_of(key: str | bytes, session: str = "a") -> EnvelopeKey:
    derived = envelope_key(session, key)
    assert isinstance(derived, EnvelopeKey)
    return derived


@pytest.fixture
def theirs() -> Any:
    return lambda key, session="a": EncryptedSession(session, agents.SQLiteSession(session), key)


@pytest.mark.parametrize(
    "key",
    [
        "secret",
        base64.urlsafe_b64encode(KEY).decode(),
        base64.b64encode(KEY).decode(),
        "with spaces, and ümlauts",
        "x" * 43 + "=",  # base64 of 32 bytes
        "=",
    ],
)
def test_keys_are_read_as_the_sdk_reads_them(key: str, theirs: Any) -> None:
    token = theirs(key).cipher.encrypt(b"{}").decode()
    stored = {"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": token}
    assert key_of(key).open_all([stored])[0].payload == b"{}"
    if key.isascii():
        assert key_of(key.encode()).open_all([stored])[0].payload == b"{}"
    assert key_of(key, "b").open_all([stored])[0].is_refused


def test_32_bytes_are_the_key(theirs: Any) -> None:
    text = base64.urlsafe_b64encode(KEY).decode()
    sealed = key_of(KEY).seal_all([b"{}"])
    assert theirs(text)._unwrap(sealed[0]) == {}


def test_the_envelope_is_the_sdks(theirs: Any) -> None:
    [ours] = key_of("key").seal_all([b'{"a":1}'])
    their = theirs("key")._wrap({"a": 1})
    assert [*ours] == [*their] == ["__enc__", "v", "kid", "payload"]
    assert {**ours, "payload": ""} == {**their, "payload": ""}
    assert len(ours["payload"]) == len(their["payload"])


@pytest.mark.parametrize("key", ["", b"", None, 7, b"\xff" * 31])
def test_what_is_no_key(key: Any) -> None:
    problem = envelope_key("a", key)
    assert isinstance(problem, str)
    assert "encryption_key" in problem


def test_a_session_id_that_utf_8_has_no_form_for() -> None:
    assert isinstance(envelope_key("\ud800", "key"), str)


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        "text",
        {"role": "user", "content": "plain"},
        {"__enc__": 2, "v": 1, "kid": "k", "payload": "p"},
        {"__enc__": 1, "v": 1, "kid": "k"},
        {"__enc__": 1, "v": 1, "kid": "k", "payload": None},
        {"__enc__": 1, "v": 1, "kid": "k", "payload": 7},
        {"__enc__": 1, "v": 1, "kid": "k", "payload": ""},
        {"__enc__": 1, "v": 1, "kid": "k", "payload": "no token"},
        {"__enc__": 1, "v": 1, "kid": "k", "payload": "ü\ud800"},
        {"__enc__": 1, "v": 1, "kid": "k", "payload": "gAAAAA=="},
    ],
)
def test_what_is_malformed_says_nothing_about_the_key(stored: object) -> None:
    [opened] = key_of("key").open_all([stored])
    assert opened.is_unreadable
    assert not opened.is_refused
    assert not was_wrong_key([opened])


@pytest.mark.parametrize("version", ["v", "kid"])
def test_version_and_key_id_are_not_looked_at(version: str) -> None:
    [sealed] = key_of("key").seal_all([b"{}"])
    stored = {**sealed, "__enc__": True, version: "other"}
    assert key_of("key").open_all([stored]) == [Opened(b"{}", is_authentic=True)]


@pytest.mark.parametrize(
    ("after", "expected"),
    [(0, "opened"), (600, "opened"), (601, "expired"), (-60, "opened"), (-61, "early")],
)
def test_ages(after: int, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the SDK: the last second is still valid, and so is a clock a minute ahead."""
    monkeypatch.setattr("time.time", lambda: 1_000_000.5)
    sealed = key_of("key").seal_all([b"{}"])
    monkeypatch.setattr("time.time", lambda: 1_000_000.9 + after)
    [opened] = key_of("key").open_all(sealed, 600)
    assert (opened.payload is not None) == (expected == "opened")
    assert opened.is_unreadable == (expected == "early")
    assert opened.is_authentic
    assert key_of("key").open_all(sealed)[0].payload == b"{}"


def test_every_flipped_bit_is_noticed() -> None:
    [sealed] = key_of("key").seal_all(encode_all(ITEMS[:1]))
    token = bytearray(base64.urlsafe_b64decode(sealed["payload"]))
    for bit in range(len(token) * 8):
        changed = bytearray(token)
        changed[bit // 8] ^= 1 << bit % 8
        stored = {**sealed, "payload": base64.urlsafe_b64encode(changed).decode()}
        [opened] = key_of("key").open_all([stored], 600)
        assert opened.is_unreadable, bit
        assert not opened.is_authentic, bit


def test_evidence() -> None:
    right, wrong = key_of("right"), key_of("wrong")
    mine, others = right.seal_all([b"{}"] * 2), wrong.seal_all([b"{}"] * 2)
    assert was_wrong_key(right.open_all(others))
    assert not was_wrong_key(right.open_all([*others, mine[0]]))
    assert not was_wrong_key([])


def test_a_wrong_key_is_also_the_error_of_fernet() -> None:
    error = WrongEnvelopeKey("user")
    assert isinstance(error, UnreadableEnvelope | Unreadable)
    assert isinstance(error, InvalidToken)
    assert "'user'" in str(error)
    assert error.log.session == "user"


def test_no_key_is_shown() -> None:
    key = "a secret passphrase of some length"
    shown = repr(key_of(key)) + repr(vars(key_of(key)))
    assert key not in shown
