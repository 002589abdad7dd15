"""What the layer shows beside its own records: plain ones, and those of the SDK."""

import os
import traceback
from typing import Any

import pytest

from turnlog import Encrypted, Keyring, Log, Store, StoredSession
from turnlog.errors import Unreadable
from turnlog.items.json import Item, encode, encode_all
from turnlog.layers.encryption.header import is_sealed
from turnlog.layers.encryption.sdk_format import EnvelopeKey, WrongEnvelopeKey, envelope_key
from turnlog.records import Unopened

pytestmark = [pytest.mark.anyio, pytest.mark.stores("memory", "sqlite", "postgres", "redis")]

LOG = Log("a")
ITEMS: list[Item] = [{"role": "user", "content": str(n)} for n in range(4)]
RING = Keyring({"k": os.urandom(32)})


def envelopes(items: list[Item], key: str = "sdk", session: str = "a") -> list[bytes]:
    derived = envelope_key(session, key)
    assert isinstance(derived, EnvelopeKey)
    return encode_all(derived.seal_all(encode_all(items)))


def layer(store: Store, reads: str = "ours", **more: Any) -> Encrypted:
    return Encrypted(store, RING, reads=reads, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reads", "opens"), [("ours", ()), ("ours+sdk", ("sdk",)), ("ours+plain", ("plain", "sdk"))]
)
async def test_policies(any_store: Store, reads: str, opens: tuple[str, ...]) -> None:
    """Of one plain record, one of the SDK and one of ours. Reading changes none."""
    more = {"sdk_key": "sdk"} if reads == "ours+sdk" else {}
    store = layer(any_store, reads, **more)
    await store.append(LOG, encode_all(ITEMS[2:3]))
    await any_store.append(LOG, [encode(ITEMS[0]), *envelopes(ITEMS[1:2])])
    before = await any_store.read(LOG)
    own, plain, sdk = (await store.read(LOG)).payloads
    assert isinstance(plain, Unopened) == ("plain" not in opens)
    assert isinstance(sdk, Unopened) == ("sdk" not in opens)
    assert own == encode(ITEMS[2])
    if reads == "ours+sdk":
        assert sdk == encode(ITEMS[1])
    assert await any_store.read(LOG) == before
    assert [is_sealed(payload) for payload in before.payloads] == [True, False, False]


@pytest.mark.parametrize("more", [{}, {"reads": "ours+sdk", "sdk_key": "sdk"}])
async def test_a_conversation_that_was_never_encrypted_does_not_look_empty(
    any_store: Store, more: dict[str, Any]
) -> None:
    """Neither reads nor writes nor a reseal pass it over, and nothing is changed."""
    await StoredSession("a", any_store).add_items(ITEMS)
    before = await any_store.logs("a")
    store = layer(any_store, **more)
    session = StoredSession("a", store)
    for call in (
        session.get_items,
        session.pop_item,
        lambda: session.add_items(ITEMS[:1]),
        lambda: session.describe(title="new"),
        lambda: store.reseal("a"),
    ):
        with pytest.raises(Unreadable, match=r'not encrypted.*reads="ours\+plain".*reseal'):
            await call()
    assert [*(await store.reseal()).failed] == ["a"]
    assert await any_store.logs("a") == before


async def test_what_the_sdk_wrote_after_plain_items_is_read_and_resealed(any_store: Store) -> None:
    """Its class skips the plain ones. They stay, and are counted."""
    await StoredSession("a", any_store).add_items(ITEMS[:2])
    await any_store.append(LOG, envelopes(ITEMS[2:]))
    store = layer(any_store, "ours+sdk", sdk_key="sdk")
    session = StoredSession("a", store)
    assert await session.get_items() == ITEMS[2:]
    assert (await store.reseal()).unreadable == 2
    assert await session.get_items() == ITEMS[2:]


async def test_it_was_encrypted_by_another_process_meanwhile(any_store: Store) -> None:
    """What is remembered of its keys is not enough to call it plain."""
    store = layer(any_store)
    await any_store.append(LOG, [encode(ITEMS[0])])
    with pytest.raises(Unreadable, match="not encrypted"):
        await store.read(LOG)
    await layer(any_store, "ours+plain").append(LOG, [encode(ITEMS[1])])
    plain, own = (await store.read(LOG)).payloads
    assert isinstance(plain, Unopened)
    assert own == encode(ITEMS[1])


async def test_what_the_sdk_wrote_is_read_and_forked(any_store: Store) -> None:
    """Copies are sealed."""
    await any_store.append(LOG, envelopes(ITEMS))
    session = StoredSession("a", layer(any_store, "ours+sdk", sdk_key="sdk"))
    assert await session.get_items() == ITEMS
    forked = await session.fork("b")
    assert await forked.get_items() == ITEMS
    assert all(map(is_sealed, (await any_store.read(Log("a", "b"))).payloads))


async def test_a_wrong_key_of_the_sdk(any_store: Store) -> None:
    await any_store.append(LOG, envelopes(ITEMS))
    before = await any_store.read(LOG)
    session = StoredSession("a", layer(any_store, "ours+sdk", sdk_key="wrong"))
    for call in (session.get_items, session.pop_item, lambda: session.get_items(1)):
        with pytest.raises(WrongEnvelopeKey):
            await call()
    assert await any_store.read(LOG) == before


@pytest.mark.parametrize("place", [0, 3])
async def test_a_damaged_item_of_the_sdk(any_store: Store, place: int) -> None:
    payloads = envelopes(ITEMS)
    payloads[place] = payloads[place].replace(payloads[place][-40:-30], b"AAAAAAAAAA")
    await any_store.append(LOG, payloads)
    session = StoredSession("a", layer(any_store, "ours+sdk", sdk_key="sdk"))
    left = ITEMS[:place] + ITEMS[place + 1 :]
    assert await session.get_items() == left
    assert await session.get_items(1) == left[-1:]
    assert len(session.unreadable) == 1


async def test_a_damaged_item_of_the_sdk_among_ours(any_store: Store) -> None:
    """That ours can be opened says that the set-up is right."""
    [payload] = envelopes(ITEMS[:1])
    await any_store.append(LOG, [payload.replace(payload[-40:-30], b"AAAAAAAAAA")])
    session = StoredSession("a", layer(any_store, "ours+sdk", sdk_key="sdk"))
    await session.add_items(ITEMS[1:])
    assert await session.get_items() == ITEMS[1:]
    assert len((await session.store.read(LOG, before=2)).payloads) <= 1


async def test_items_of_another_session_of_the_sdk(any_store: Store) -> None:
    """They are bound to the session id."""
    await any_store.append(LOG, [*envelopes(ITEMS[:1]), *envelopes(ITEMS[1:2], session="b")])
    session = StoredSession("a", layer(any_store, "ours+sdk", sdk_key="sdk"))
    assert await session.get_items() == ITEMS[:1]


@pytest.mark.stores("memory")
@pytest.mark.parametrize(
    ("reads", "more", "problem"),
    [
        ("theirs", {}, "reads must be"),
        ("ours+sdk", {}, "sdk_key"),
        ("ours", {"sdk_key": "a secret"}, "sdk_key"),
        ("ours+sdk", {"sdk_key": ""}, "encryption_key"),
        ("ours+sdk", {"sdk_key": b"a secret \xff"}, "encryption_key"),
    ],
)
async def test_what_is_refused(any_store: Store, reads: str, more: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as raised:
        layer(any_store, reads, **more)
    trace = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    del trace.stack[:2]  # of this test
    assert "a secret" not in "".join(trace.format())
    assert all("a secret" not in repr(each.locals) for each in trace.stack)


@pytest.mark.parametrize("reads", ["ours+sdk", "ours+plain"])
async def test_moving_over(any_store: Store, reads: str) -> None:
    """After `reseal` everything is ours, and read under the policy "ours"."""
    plain = reads == "ours+plain"
    await any_store.append(LOG, encode_all(ITEMS[:2]) if plain else envelopes(ITEMS[:2]))
    store = layer(any_store, reads, **({} if plain else {"sdk_key": "sdk"}))
    await StoredSession("a", store).add_items(ITEMS[2:])
    await store.reseal()
    assert all(map(is_sealed, (await any_store.read(LOG)).payloads))
    assert await StoredSession("a", layer(any_store)).get_items() == ITEMS


async def test_nothing_is_resealed_with_a_wrong_key_of_the_sdk(any_store: Store) -> None:
    await any_store.append(LOG, envelopes(ITEMS))
    before = await any_store.read(LOG)
    rotated = await layer(any_store, "ours+sdk", sdk_key="wrong").reseal()
    assert rotated.unreadable
    assert (await any_store.read(LOG)).payloads == before.payloads
    right = StoredSession("a", layer(any_store, "ours+sdk", sdk_key="sdk"))
    assert await right.get_items() == ITEMS
