"""Payloads in a text column: every one comes back, and what is no text is one JSON object."""

import json
from base64 import b64encode

import pytest

from turnlog.stores.sqlalchemy.payloads import TEXT, TEXT_OR_BLOB

BEGIN = '{"__turnlog__": 1, "sealed": "'
NO_TEXT = [b"\xff", b"\xf5T\x01\x01" + bytes(range(256)), b"half \xe4"]
MARKED = [
    (BEGIN + 'aGk="}').encode(),
    BEGIN.encode(),
    (BEGIN + 'no base64"}').encode(),
    (BEGIN + 'aGk=", "more": 1}').encode(),
    b"turnlog:base64:aGk=",
    b"turnlog:base64:no",
]
TEXTS = [b"", b"{}", b'{"__turnlog__":1,"sealed":"aGk="}', b'{"__turnlog__": 1}', "ü".encode()]


@pytest.mark.parametrize("payload", [*NO_TEXT, *MARKED, *TEXTS, b"\0", b'{"a": "\0"}'], ids=repr)
def test_every_payload_comes_back(payload: bytes) -> None:
    for form in (TEXT, TEXT_OR_BLOB):
        assert form.decode(form.encode(payload)) == payload


@pytest.mark.parametrize("payload", TEXTS, ids=repr)
def test_text_is_stored_as_it_is(payload: bytes) -> None:
    assert TEXT.encode(payload) == TEXT_OR_BLOB.encode(payload) == payload.decode()


@pytest.mark.parametrize("payload", [*NO_TEXT, *MARKED[:4], b"\0"], ids=repr)
def test_what_is_no_text_is_an_object(payload: bytes) -> None:
    stored = TEXT.encode(payload)
    assert json.loads(stored) == {"__turnlog__": 1, "sealed": b64encode(payload).decode()}
    assert isinstance(stored, str)
    assert stored.startswith(BEGIN)


@pytest.mark.parametrize("payload", NO_TEXT, ids=repr)
def test_a_column_that_takes_bytes_has_them(payload: bytes) -> None:
    assert TEXT_OR_BLOB.encode(payload) == payload


@pytest.mark.parametrize("payload", [*NO_TEXT, *MARKED, b"\0"], ids=repr)
def test_what_older_versions_stored_is_read(payload: bytes) -> None:
    old = "turnlog:base64:" + b64encode(payload).decode()
    assert TEXT.decode(old) == TEXT_OR_BLOB.decode(old) == payload


@pytest.mark.parametrize("end", ['"}', 'no base64"}', "", 'aGk=", "more": 1}', 'aGk"}'])
def test_objects_of_others_are_left_as_they_are(end: str) -> None:
    stored = BEGIN + end
    expected = b"" if end == '"}' else stored.encode()
    assert TEXT.decode(stored) == expected
