"""Key rings: what they take, what they open, and what they never show."""

import copy
import os
import pickle
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from tests.layers.encryption.tracebacks import forms, shown_by
from turnlog import Encrypted, Keyring, Passphrase, StoredSession, Unreadable, WrongKey
from turnlog.layers.encryption.provider import NamesKeys
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

#: Fixed, because the names of tests hold them.
OLD, NEW, DATA = (sha256(name).digest() for name in (b"old", b"new", b"data"))
WORDS = "correct horse battery staple"


async def test_a_wrapped_key_is_unwrapped_by_every_ring_with_its_key() -> None:
    wrapped = await Keyring({"2026-10": OLD}).wrap("alice", DATA)
    ring = Keyring({"2026-11": NEW, "2026-10": OLD}, primary="2026-11")
    assert await ring.unwrap("alice", wrapped) == DATA
    assert ring.key_id(wrapped) == "2026-10"
    assert ring.key_id(await ring.wrap("alice", DATA)) == "2026-11"
    assert (ring.primary, ring.ids) == ("2026-11", ["2026-11", "2026-10"])
    assert isinstance(ring, NamesKeys)


async def test_a_key_is_never_wrapped_to_the_same_bytes_twice_nor_is_it_in_them() -> None:
    ring = Keyring({"k": OLD})
    wrapped = [await ring.wrap("alice", DATA) for _ in range(100)]
    assert len(set(wrapped)) == 100
    assert not any(DATA in each or OLD in each for each in wrapped)


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
async def test_a_key_may_be_base64(encode: Callable[[bytes], bytes]) -> None:
    wrapped = await Keyring({"k": b"\xfb\xff" * 16}).wrap("alice", DATA)
    ring = Keyring({"k": encode(b"\xfb\xff" * 16).decode()})
    assert await ring.unwrap("alice", wrapped) == DATA


async def test_an_unknown_id_names_it_those_there_are_and_the_cure() -> None:
    wrapped = await Keyring({"2026-10": OLD}).wrap("alice", DATA)
    with pytest.raises(WrongKey) as raised:
        await Keyring({"a": NEW, "b": os.urandom(32)}, primary="b").unwrap("alice", wrapped)
    assert "key '2026-10', which is not in the key ring (it has 'a', 'b')" in str(raised.value)
    assert "add that key" in str(raised.value)


async def test_another_key_under_the_id_is_told_from_damage() -> None:
    wrapped = await Keyring({"k": OLD}).wrap("alice", DATA)
    with pytest.raises(WrongKey, match="is not the key 'k' that wrapped"):
        await Keyring({"k": NEW}).unwrap("alice", wrapped)
    with pytest.raises(WrongKey, match="is not the key 'k' that wrapped"):
        await Keyring.from_passphrase(WORDS, key_id="k").unwrap("alice", wrapped)
    with pytest.raises(WrongKey, match="is damaged, or was copied from another conversation"):
        await Keyring({"k": OLD}).unwrap("alice", wrapped[:-1] + bytes([wrapped[-1] ^ 1]))
    with pytest.raises(WrongKey, match="copied from another conversation"):
        await Keyring({"k": OLD}).unwrap("bob", wrapped)


async def test_every_flipped_bit_and_every_cut_is_noticed() -> None:
    ring = Keyring({"k": OLD})
    wrapped = await ring.wrap("alice", DATA)
    flipped = [
        wrapped[: bit // 8] + bytes([wrapped[bit // 8] ^ (1 << bit % 8)]) + wrapped[bit // 8 + 1 :]
        for bit in range(8 * len(wrapped))
    ]
    for changed in [*flipped, *(wrapped[:end] for end in range(len(wrapped))), wrapped + b"x"]:
        with pytest.raises(WrongKey):
            await ring.unwrap("alice", changed)


async def test_an_id_that_is_no_text_is_damage() -> None:
    ring = Keyring({"kk": OLD})
    wrapped = await ring.wrap("alice", DATA)
    for bad in (b"\xff\xfe", b"\x1b["):
        changed = wrapped[:2] + bad + wrapped[4:]
        assert ring.key_id(changed) == ""
        with pytest.raises(WrongKey, match="was not made by a key ring, or is damaged"):
            await ring.unwrap("alice", changed)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 44, 64])
def test_a_key_has_exactly_32_bytes(length: int) -> None:
    for key in (os.urandom(length), b64encode(os.urandom(length)).decode()):
        with pytest.raises(
            ValueError, match=f"'k' .*has {length} bytes, .*turnlog keygen"
        ) as raised:
            Keyring({"k": key})
        assert "Keyring.from_passphrase" in str(raised.value)


@pytest.mark.parametrize("key", ["a password", "naïve", b64encode(OLD).decode()[:-1], 5, None])
def test_what_is_no_key_is_refused_with_the_cure(key: object) -> None:
    with pytest.raises(ValueError, match=r"key 'k' is .*turnlog keygen FILE"):
        Keyring({"k": key})  # type: ignore[dict-item] # the case


@pytest.mark.parametrize("key_id", ["", " a", "a\n", "\x1b[31m", "x" * 41, "é" * 21, "\ud800", 5])
def test_an_id_is_a_short_text(key_id: object) -> None:
    with pytest.raises(ValueError, match="an id of a key "):
        Keyring({key_id: OLD})  # type: ignore[dict-item] # the case


def test_a_key_that_was_passed_as_an_id_is_not_quoted() -> None:
    for form in (OLD.hex(), b64encode(OLD).decode(), OLD):
        with pytest.raises(ValueError, match="an id of a key ") as raised:
            Keyring({form: "2026-11"})  # type: ignore[dict-item] # the case
        assert not any(each in shown_by(raised.value) for each in forms(OLD))


@pytest.mark.parametrize("keys", [{}, None, [OLD]])
def test_a_ring_needs_a_key(keys: object) -> None:
    with pytest.raises(ValueError, match="with a key at least: make one with `turnlog keygen"):
        Keyring(keys)  # type: ignore[arg-type] # the case


def test_several_keys_need_a_primary_one() -> None:
    keys = {"a": OLD, "b": NEW}
    with pytest.raises(ValueError, match=r"needs primary=.* one of 'a', 'b'"):
        Keyring(keys)
    with pytest.raises(ValueError, match="primary= is one of 'a', 'b'"):
        Keyring(keys, primary=b64encode(OLD).decode())


def test_one_key_under_two_ids_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' and 'b' are the same key"):
        Keyring({"a": OLD, "b": b64encode(OLD).decode()}, primary="a")
    with pytest.raises(ValueError, match="'a' and 'b' are the same key"):
        Keyring({"a": OLD}).with_key("b", OLD)


async def test_a_ring_with_one_more_key_leaves_the_first_as_it_is() -> None:
    ring = Keyring({"a": OLD})
    more = ring.with_key("b", NEW)
    assert (ring.ids, more.ids, more.primary) == (["a"], ["a", "b"], "a")
    assert ring.with_key("b", NEW, primary=True).primary == "b"
    with pytest.raises(ValueError, match="give the new one another id"):
        ring.with_key("a", NEW)
    wrapped = await Keyring({"b": NEW}).wrap("alice", DATA)
    assert await more.unwrap("alice", wrapped) == DATA


def test_a_ring_shows_its_ids_only() -> None:
    ring = Keyring({"a": OLD, "p": Passphrase(WORDS)}, primary="a")
    assert repr(ring) == "Keyring(['a', 'p'], primary='a')"
    everything = repr(vars(ring)) + repr([vars(key) for key in vars(ring)["_keys"].values()][:1])
    assert not any(form in everything for form in forms(OLD) | forms(WORDS))


def test_a_ring_is_copied_but_not_pickled() -> None:
    ring = Keyring({"a": OLD})
    assert copy.copy(ring) is copy.deepcopy(ring) is ring
    for holder in (ring, Passphrase(WORDS)):
        with pytest.raises(TypeError, match=r"not pickled: load it in each process.*from_file"):
            pickle.dumps(holder)


@pytest.mark.parametrize(
    ("session", "key"), [("alice", DATA[:31]), ("\ud800", DATA)], ids=["short", "surrogate"]
)
async def test_no_traceback_of_a_failed_wrap_shows_the_data_key(session: str, key: bytes) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - either of two
        await Keyring({"k": OLD}).wrap(session, key)
    assert not any(form in shown_by(raised.value) for form in forms(key) | forms(OLD))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Keyring({"a": OLD, "b": NEW[:31]}, primary="a"),
        lambda: Keyring({"a": OLD, "b": b64encode(NEW[:31]).decode()}, primary="a"),
        lambda: Keyring({"a": OLD, "b": NEW}),
        lambda: Keyring({"a": OLD, "b": OLD}, primary="a"),
        lambda: Keyring([OLD]),  # type: ignore[arg-type] # the case
        lambda: Keyring({"a": OLD}).with_key("a", NEW),
        lambda: Keyring({"a": OLD}).with_key("b", NEW[:31]),
        lambda: Keyring({"a": OLD}).with_key("b", OLD),
        lambda: Keyring({"a": OLD}, primary=NEW.hex()),
    ],
)
def test_no_traceback_of_a_refused_ring_shows_a_key(make: Callable[[], Keyring]) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - each has its own text
        make()
    everything = shown_by(raised.value)
    assert not any(form in everything for form in forms(OLD) | forms(NEW) | forms(NEW[:31]))


async def test_no_traceback_of_a_wrong_key_shows_any() -> None:
    wrapped = await Keyring({"k": OLD}).wrap("alice", DATA)
    for ring in (Keyring({"k": NEW}), Keyring({"j": NEW})):
        with pytest.raises(WrongKey) as raised:
            await ring.unwrap("alice", wrapped)
        secrets = forms(OLD) | forms(NEW) | forms(DATA)
        assert not any(form in shown_by(raised.value) for form in secrets)


def _content(key: bytes) -> str:
    return f'{{"primary": "k", "keys": {{"k": "{b64encode(key).decode()}"}}}}'


@pytest.mark.parametrize(
    "content",
    [
        _content(OLD)[:-1],
        _content(OLD) + "\udcff",
        _content(OLD).replace("primary", "first"),
        _content(OLD).replace('"primary": "k"', '"primary": "j"'),
        _content(OLD).replace("}}", f', "k": "{b64encode(NEW).decode()}"}}}}'),
        _content(OLD).replace("}}", f', "j": "{b64encode(OLD).decode()}"}}}}'),
        _content(OLD).replace("}}", ', "j": "AAAA"}}'),
        _content(OLD).replace("}}", ', "j": 5}}'),
        _content(OLD).replace("}}", f', "{b64encode(NEW).decode()}": "x"}}}}'),
        _content(OLD).replace("}}", '}, "comment": ""}'),
        f'["{b64encode(OLD).decode()}"]',
        b64encode(OLD).decode(),
        '{"primary": "k", "keys": {}}',
        '{"primary": "k", "primary": "k", "keys": {}}',
        "[" * 100_000,
    ],
)
def test_bad_content_of_a_file_or_a_variable_is_named_and_not_shown(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    path.chmod(0o600)
    monkeypatch.setenv("TURNLOG_KEYS", content)
    loads: dict[str, Callable[[], Keyring]] = {
        f"the key file {path}": partial(Keyring.from_file, path),
        "the environment variable TURNLOG_KEYS": Keyring.from_env,
    }
    for source, load in loads.items():
        with pytest.raises(ValueError) as raised:  # noqa: PT011 - see below
            load()
        assert str(raised.value).startswith(f"{source} can't be used: ")
        assert not any(form in shown_by(raised.value) for form in forms(OLD) | forms(NEW))


async def test_a_variable_holds_what_a_key_file_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    wrapped = await Keyring({"k": OLD}).wrap("alice", DATA)
    monkeypatch.setenv("CHAT_KEYS", _content(OLD))
    ring = Keyring.from_env("CHAT_KEYS")
    assert await ring.unwrap("alice", wrapped) == DATA
    with pytest.raises(ValueError, match=r"variable TURNLOG_KEYS is not set.*turnlog keygen"):
        Keyring.from_env()


async def test_from_a_passphrase_to_a_key_and_a_session_opens_all_along() -> None:
    store = MemoryStore()
    before = Keyring.from_passphrase(WORDS, key_id="words")
    await StoredSession("alice", Encrypted(store, before)).add_items(
        [{"role": "user", "content": "x", "n": 1}]
    )
    both = Keyring({"words": Passphrase(WORDS), "2026-11": NEW}, primary="2026-11")
    await StoredSession("bob", Encrypted(store, both)).add_items(
        [{"role": "user", "content": "x", "n": 2}]
    )
    assert [
        (await StoredSession(name, Encrypted(store, both)).get_items())[0]["n"]
        for name in ("alice", "bob")
    ] == [1, 2]
    only = Encrypted(store, Keyring({"2026-11": NEW}))
    assert await StoredSession("bob", only).get_items()
    with pytest.raises(Unreadable, match="'words', which is not in the key ring"):
        await StoredSession("alice", only).get_items()
