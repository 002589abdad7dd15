"""Opening: all records at once gives what one after the other gives."""

import asyncio
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.layers.encrypting import Marked
from turnlog.layers.encryption.data_keys import DataKeys
from turnlog.layers.encryption.opening import Opener
from turnlog.layers.encryption.sealing import DataKey, RawKey, record_context
from turnlog.layers.encryption.unsealed import reads_of
from turnlog.records import Log, Records, Unopened
from turnlog.stores.memory import MemoryStore

LOG = Log("s")


async def _both(seed: int, tampered: int) -> None:
    chance, store = Random(seed), MemoryStore()
    keys = DataKeys(store, Marked(), None, 300)
    made = await keys.made("s")
    await store.append(Log("s", ":keys"), [made.record.payload()])
    stranger = DataKey.of("s", 7, RawKey(bytes(32)))
    context, positions, sealed = record_context(LOG), list[int](), list[bytes]()
    while len(sealed) < 12:
        base = positions[-1] if positions else 0
        size = chance.randint(1, 4)
        sealed += made.key.seal(context, [b"%d" % (base + n) for n in range(size)], base)
        positions += [base + 1 + n * chance.choice([1, 1, 3]) for n in range(size)]
        positions = sorted({*positions})[: len(sealed)]
        sealed = sealed[: len(positions)]
    for _ in range(tampered):
        at, other = chance.randrange(len(sealed)), chance.randrange(len(sealed))
        sealed[at] = chance.choice(
            [
                sealed[other],
                sealed[at][: chance.randrange(60)],
                sealed[at][:-1] + b"\0",
                b"plain",
                stranger.seal(context, [b"x"], at)[0],
            ]
        )
    opener = Opener(keys, reads_of("ours", None))
    stored = Records(positions, sealed, [0.0] * len(sealed))
    starts = {each[:8] for each in sealed}
    ring = await opener._ring("s", starts, is_final=True)
    at_once = await opener._at_once(ring, LOG, positions, sealed, starts)
    each = await opener._one_by_one(ring, LOG, positions, sealed)
    has_problem = any(isinstance(payload, Unopened) for payload in each)
    assert (at_once is None) == has_problem
    assert at_once in (None, each)
    assert (await opener.records(LOG, stored)).payloads == each


@given(seed=st.integers(0, 2**32), tampered=st.integers(0, 3))
def test_at_once_gives_what_one_by_one_gives(seed: int, tampered: int) -> None:
    asyncio.run(_both(seed, tampered))
