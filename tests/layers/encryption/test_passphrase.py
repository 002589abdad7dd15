"""Passphrases: the salt in each wrapped key, one derivation for each, and bounds for its cost."""

import asyncio
import os
import threading
from struct import pack

import pytest

from tests.layers.encryption.tracebacks import forms, shown_by
from turnlog import Keyring, Passphrase, WrongKey
from turnlog.layers.encryption import passphrase as module

pytestmark = pytest.mark.anyio

WORDS = "correct horse battery staple"
DATA = os.urandom(32)


def _quick(words: str = WORDS) -> Passphrase:
    """With the least cost that is taken, so that the tests are quick."""
    return Passphrase(words, memory_kib=19_456, iterations=2, lanes=1)


def _ring(words: str = WORDS) -> Keyring:
    return Keyring({"words": _quick(words)})


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The thread of each derivation."""
    threads: list[threading.Thread] = []
    derived = Passphrase._derived

    def counted(self: Passphrase, settings: bytes) -> object:
        threads.append(threading.current_thread())
        return derived(self, settings)

    monkeypatch.setattr(Passphrase, "_derived", counted)
    return threads


async def test_another_process_needs_the_passphrase_only() -> None:
    wrapped = await _ring().wrap("alice", DATA)
    assert await _ring().unwrap("alice", wrapped) == DATA
    assert await Keyring.from_passphrase(WORDS, key_id="words").unwrap("alice", wrapped) == DATA


async def test_the_salt_is_random() -> None:
    ours, theirs = [await _ring().wrap("alice", DATA) for _ in range(2)]
    assert ours[7 + 9 : 7 + 25] != theirs[7 + 9 : 7 + 25]


async def test_the_unicode_form_of_a_passphrase_does_not_matter() -> None:
    wrapped = await _ring("Zoë isst sechs Äpfel").wrap("alice", DATA)
    decomposed = "Zoe\u0308 isst sechs A\u0308pfel"
    assert await _ring(decomposed).unwrap("alice", wrapped) == DATA


async def test_another_passphrase_is_a_wrong_key() -> None:
    wrapped = await _ring().wrap("alice", DATA)
    with pytest.raises(WrongKey, match="is not the key 'words' that wrapped") as raised:
        await _ring(WORDS + ".").unwrap("alice", wrapped)
    assert not any(form in shown_by(raised.value) for form in forms(WORDS) | forms(DATA))


async def test_many_at_once_derive_once_and_off_the_event_loop(
    derivations: list[threading.Thread],
) -> None:
    ring = _ring()
    wrapped = await asyncio.gather(*(ring.wrap(f"user-{n}", DATA) for n in range(20)))
    assert (
        await asyncio.gather(*(ring.unwrap(f"user-{n}", each) for n, each in enumerate(wrapped)))
        == [DATA] * 20
    )
    assert len(derivations) == 1
    assert derivations[0] is not threading.main_thread()


async def test_the_event_loop_goes_on_while_a_key_is_derived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    going_on = threading.Event()
    derived = Passphrase._derived

    def waiting(self: Passphrase, settings: bytes) -> object:
        assert going_on.wait(200), "the event loop stands still"
        return derived(self, settings)

    monkeypatch.setattr(Passphrase, "_derived", waiting)
    task = asyncio.create_task(_ring().wrap("alice", DATA))
    for _ in range(4):
        await asyncio.sleep(0.001)
    assert not task.done()
    going_on.set()
    await task


async def test_whoever_reads_first_writes_with_the_same_salt(
    derivations: list[threading.Thread],
) -> None:
    wrapped = await _ring().wrap("alice", DATA)
    for n in range(3):  # three short processes
        reader = _ring()
        await reader.unwrap("alice", wrapped)
        wrapped = await reader.wrap("alice", DATA)
        assert len(derivations) == n + 2


async def test_a_salt_of_another_passphrase_or_cost_is_not_taken_over() -> None:
    other = await _ring(WORDS + ".").wrap("alice", DATA)
    dear = Keyring({"words": Passphrase(WORDS, memory_kib=20_000, iterations=2, lanes=1)})
    cheap = await _ring().wrap("alice", DATA)
    ring = _ring()
    with pytest.raises(WrongKey):
        await ring.unwrap("alice", other)
    assert (await ring.wrap("alice", DATA))[7:32] != other[7:32]
    assert await dear.unwrap("alice", cheap) == DATA
    assert (await dear.wrap("alice", DATA))[7:16] == pack(">IIB", 20_000, 2, 1)


#: Too much memory, iterations or lanes; too little; nothing.
OUT_OF_BOUNDS = [(2**26, 2, 1), (2**32 - 1, 2, 1), (19_456, 11, 1), (19_456, 2**32 - 1, 1)]
OUT_OF_BOUNDS += [(19_456, 2, 17), (8, 2, 1), (0, 0, 0), (19_456, 1, 1), (19_456, 2, 0)]


@pytest.mark.parametrize("cost", OUT_OF_BOUNDS)
async def test_a_tampered_cost_is_refused_before_anything_is_derived(
    cost: tuple[int, int, int], derivations: list[threading.Thread]
) -> None:
    ring = _ring()
    wrapped = await ring.wrap("alice", DATA)
    tampered = wrapped[:7] + pack(">IIB", *cost) + wrapped[16:]
    with pytest.raises(WrongKey, match="damaged: it asks for more or less work"):
        await ring.unwrap("alice", tampered)
    assert len(derivations) == 1


async def test_a_tampered_salt_is_noticed() -> None:
    wrapped = await _ring().wrap("alice", DATA)
    with pytest.raises(WrongKey):
        await _ring().unwrap("alice", wrapped[:16] + os.urandom(16) + wrapped[32:])


async def test_few_salts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    words = _quick()
    ring = Keyring({"words": words})
    wrapped = [await _ring().wrap("alice", DATA) for _ in range(4)]
    for each in [*wrapped, *wrapped]:
        assert await ring.unwrap("alice", each) == DATA
        assert len(words._known) <= 2


async def test_a_cancelled_task_loses_no_derivation(derivations: list[threading.Thread]) -> None:
    ring = _ring()
    task = asyncio.create_task(ring.wrap("alice", DATA))
    while not derivations:  # noqa: ASYNC110 - it grows on a thread
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    assert not any(form in shown_by(raised.value) for form in forms(DATA) | forms(WORDS))
    await asyncio.to_thread(derivations[0].join, 0.5)
    await ring.wrap("alice", DATA)
    assert len(derivations) <= 2


@pytest.mark.parametrize("words", ["hunter2", "x" * 100, "abababababababababab", ""])
def test_a_short_passphrase_is_refused_with_the_cure(words: str) -> None:
    with pytest.raises(ValueError, match=r"six random words or more.*turnlog keygen") as raised:
        Keyring.from_passphrase(words)
    assert not words or words not in shown_by(raised.value)


@pytest.mark.parametrize("words", [bytes(range(32)), None, f"{WORDS}\ud800"])
def test_what_is_no_text_is_no_passphrase(words: object) -> None:
    with pytest.raises(ValueError, match="passphrase") as raised:
        Keyring.from_passphrase(words)  # type: ignore[arg-type] # the case
    assert words is None or repr(words) not in shown_by(raised.value)


@pytest.mark.parametrize("cost", [(1024, 3, 4), (2**26, 3, 4), (65_536, 1, 4), (65_536, 3, 0)])
def test_a_cost_out_of_bounds_is_refused(cost: tuple[int, int, int]) -> None:
    memory, iterations, lanes = cost
    with pytest.raises(ValueError, match="memory_kib must be 19456 to 1048576") as raised:
        Keyring.from_passphrase(WORDS, memory_kib=memory, iterations=iterations, lanes=lanes)
    assert WORDS not in shown_by(raised.value)


def test_a_passphrase_is_not_shown() -> None:
    assert repr(Passphrase(WORDS)) == "Passphrase(…)"
