"""Conversations without a data key: what is looked at before the first one is made."""

from collections.abc import Awaitable, Callable

import pytest

from tests.layers.encrypting import Marked
from turnlog.errors import Unreadable
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.key_records import KEYS
from turnlog.records import Log
from turnlog.store import Call, Layer, Store, T
from turnlog.stores.memory import MemoryStore
from turnlog.testing.looking import head_of

pytestmark = pytest.mark.anyio

LOG = Log("s")


class Disturbed(Layer):
    """A store in which others write just after the first two looks at the keys.

    Before the second look, they delete the conversation.
    """

    def __init__(self, inner: Store, write: Callable[[], Awaitable[None]]) -> None:
        super().__init__(inner)
        self._write = write
        self.looks = 0

    async def around(self, call: Call[T]) -> T:
        if call.verb != "read" or Log("s", KEYS) not in call.args:
            return await call()
        self.looks += 1
        if self.looks == 2:
            await self.inner.delete("s")
        result = await call()
        if self.looks <= 2:
            await self._write()
        return result


@pytest.fixture
def disturbed() -> Disturbed:
    inner, notes = MemoryStore(), iter((b"1", b"2"))

    async def annotate() -> None:
        await Encrypted(inner, Marked()).annotate(LOG, next(notes))

    return Disturbed(inner, annotate)


async def test_notes_of_two_lives_are_not_taken_for_one_without_keys(disturbed: Disturbed) -> None:
    store = Encrypted(disturbed, Marked())
    await store.append(LOG, [b"mine"])
    assert disturbed.looks > 2
    head = await head_of(Encrypted(disturbed.inner, Marked()), LOG)
    assert head is not None
    assert head.note == b"2"


async def test_rotations_do_not_take_them_so_either(disturbed: Disturbed) -> None:
    await Encrypted(disturbed, Marked()).reseal("s")
    assert disturbed.looks > 2


async def test_a_note_without_keys_is_told(disturbed: Disturbed) -> None:
    inner = disturbed.inner
    await Encrypted(inner, Marked()).annotate(LOG, b"1")
    await inner.remove(Log("s", KEYS))
    for work in (
        Encrypted(inner, Marked()).append(LOG, [b"2"]),
        Encrypted(inner, Marked()).reseal("s"),
    ):
        with pytest.raises(Unreadable, match="no data key"):
            await work
