"""Wrapped data keys: the published vectors, and a second reading of the format."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests import ROOT
from turnlog import Keyring, Passphrase

pytestmark = pytest.mark.anyio

#: As docs/encryption.md has them.
KEY, DATA_KEY = bytes(range(32)), bytes(range(32, 64))
WORDS = "correct horse battery staple"
BY_KEY = (
    "0107323032362d31314a6271fab9150b5501d108f4ff7b007b404142434445464748494a4b"
    "19cdfe4462e588d5f538964a4b7aeb072c9fae12b1ba8a5c7f5c2487907266a35a49c5d5441dfb0bae67522e5494ad3c"
)
BY_WORDS = (
    "0205776f72647300004c000000000201505152535455565758595a5b5c5d5e5f"
    "d87d2d3b3700d34442fa395a8e76ec35404142434445464748494a4b"
    "37319451e1ad8319251000c26cac2b1cec53d7b67e9511b9066ff94ddf75ac253915117b2fb4011ef14cc781bef85c3c"
)


async def test_the_published_vectors_are_opened() -> None:
    ring = Keyring({"2026-11": KEY, "words": Passphrase(WORDS)}, primary="2026-11")
    for vector in (BY_KEY, BY_WORDS):
        assert await ring.unwrap("user_123", bytes.fromhex(vector)) == DATA_KEY


def test_the_page_has_the_vectors() -> None:
    page = (ROOT / "docs" / "encryption.md").read_text(encoding="utf-8")
    printed = "".join(page.split())
    assert BY_KEY in printed
    assert BY_WORDS in printed


def test_the_format_can_be_read_by_what_the_page_says() -> None:
    """Written from the page alone, with nothing of ours."""
    assert _opened(bytes.fromhex(BY_KEY), KEY) == DATA_KEY
    stored = bytes.fromhex(BY_WORDS)
    memory, iterations = (int.from_bytes(stored[at : at + 4], "big") for at in (7, 11))
    argon = Argon2id(
        salt=stored[16:32], length=32, memory_cost=memory, iterations=iterations, lanes=stored[15]
    )
    assert _opened(stored, argon.derive(WORDS.encode())) == DATA_KEY


def _opened(stored: bytes, key: bytes) -> bytes:
    derived = HKDF(SHA256(), 48, None, b"turnlog key-encryption key 1").derive(key)
    clear, nonce, sealed = stored[:-60], stored[-60:-48], stored[-48:]
    assert clear[-16:] == derived[32:]
    parts = b"turnlog wrapped key 1", b"user_123", clear
    bound = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return AESGCM(derived[:32]).decrypt(nonce, sealed, bound)
