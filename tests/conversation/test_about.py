"""About a conversation: what its note tells, and what a change leaves as it is."""

import pytest

from turnlog import About, Layer, Log, StoredSession
from turnlog.conversation.about import kept_note
from turnlog.items.json import decode, encode
from turnlog.store import Store
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure, first_calls_of

pytestmark = pytest.mark.anyio


async def note_of(store: Store) -> bytes:
    return next((head.note for head in await store.logs("s") if head.log.name == "main"), b"")


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"no JSON",
        b"[1]",
        b'{"title":7,"tags":"ab","owner":[],"archived":1,"hold":"yes"}',
        b'{"tags":["a",7]}',
    ],
)
def test_what_a_note_can_not_mean_is_left_out(note: bytes) -> None:
    assert About.of(note) == About()


def test_a_note_is_read() -> None:
    fields = {"title": "T", "tags": ["b", "a"], "owner": "o", "archived": True, "hold": True}
    assert About.of(encode(fields)) == About("T", ("b", "a"), "o", archived=True, hold=True)


async def test_other_fields_of_the_note_stay_as_they_are() -> None:
    store = MemoryStore()
    await store.annotate(Log("s"), encode({"summary": {"of": 7}, "title": "old"}))
    await StoredSession("s", store).describe(title="new", hold=True)
    assert decode(await note_of(store)) == {"summary": {"of": 7}, "title": "new", "hold": True}


async def test_what_says_nothing_is_not_stored() -> None:
    store = MemoryStore()
    session = StoredSession("s", store)
    await session.describe(title="T", tags=["a"], hold=True)
    await session.describe(title=None, tags=[], hold=False)
    assert await note_of(store) == b""


@pytest.mark.parametrize("note", [b"no JSON", b"[1]"])
async def test_a_note_that_holds_something_else_is_never_overwritten(note: bytes) -> None:
    store = MemoryStore()
    await store.annotate(Log("s"), note)
    with pytest.raises(ValueError, match="is not a JSON object"):
        await StoredSession("s", store).describe(title="T")
    assert await note_of(store) == note


async def test_a_change_that_changes_nothing_writes_nothing() -> None:
    store = Failing(MemoryStore())
    session = StoredSession("s", store)
    await session.describe(title="T")
    store.plan = first_calls_of("commit", Failure(OSError("no commit is expected")))
    assert await session.describe(title="T") == About("T")


async def test_a_change_of_another_session_is_kept() -> None:
    store = MemoryStore()
    others = [StoredSession("s", store), StoredSession("s", store)]

    class Late(Layer):
        async def logs(self, session: str) -> list:  # type: ignore[type-arg]
            found = await super().logs(session)
            if others:
                await others.pop().describe(tags=[f"tag {len(others)}"], owner="o")
            return found

    assert await StoredSession("s", Late(store)).describe(title="T") == About("T", ("tag 0",), "o")


async def test_it_is_about_the_conversation_on_every_branch() -> None:
    store = MemoryStore()
    forked = await StoredSession("s", store).fork("try")
    await forked.describe(title="T")
    assert await StoredSession("s", store).about() == About("T")
    assert decode(await note_of(store)) == {"title": "T"}


def test_a_cleared_conversation_keeps_its_tags_owner_and_hold() -> None:
    note = encode(
        {"title": "T", "archived": True, "hold": True, "tags": ["a"], "owner": "o", "x": 1}
    )
    assert decode(kept_note(note)) == {"hold": True, "tags": ["a"], "owner": "o"}
    assert kept_note(b"no JSON") == kept_note(b"") == b""
