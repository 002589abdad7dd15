"""The SDK's wrappers around our sessions: what docs/sdk.md says of them.

What they lose is written down as the right behaviour, expected to fail: whoever mends one of
these is told by its test that the page has to change.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from agents.extensions.memory import AdvancedSQLiteSession, EncryptedSession

from tests.sample_items import answer, user
from turnlog import SessionSettings, SQLiteSession, StoredSession
from turnlog.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.anyio

TALK = [user("one"), answer("1"), user("two"), answer("2")]

lost = pytest.mark.xfail(raises=AssertionError, reason="the SDK's wrapper loses it: docs/sdk.md")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with SQLiteStore(tmp_path / "c.db") as store:
        await StoredSession("user", store).add_items(TALK)
        yield store


def encrypted(store: SQLiteStore, key: str, **options: Any) -> EncryptedSession:
    return EncryptedSession("sealed", StoredSession("sealed", store), key, **options)  # type: ignore[arg-type]


async def count(store: SQLiteStore, session: str) -> int:
    return len(await StoredSession(session, store).get_items())


async def test_encryption_works_with_the_right_key(store: SQLiteStore) -> None:
    session = encrypted(store, "right", ttl=None)
    await session.add_items(TALK)  # type: ignore[arg-type]
    assert await encrypted(store, "right", ttl=None).get_items() == TALK
    assert await session.get_items(2) == TALK[2:]
    assert all("__enc__" in item for item in await StoredSession("sealed", store).get_items())


@lost
async def test_a_pop_with_the_wrong_key_deletes_nothing(store: SQLiteStore) -> None:
    await encrypted(store, "right").add_items(TALK)  # type: ignore[arg-type]
    wrong = encrypted(store, "wrong")
    assert await wrong.get_items() == []
    assert await wrong.pop_item() is None
    assert await count(store, "sealed") == len(TALK)


@lost
async def test_a_pop_skips_plain_text_without_deleting_it(store: SQLiteStore) -> None:
    await StoredSession("sealed", store).add_items(TALK)
    assert await encrypted(store, "right").pop_item() is None
    assert await count(store, "sealed") == len(TALK)


async def test_encryption_refuses_windows_by_turns(store: SQLiteStore) -> None:
    settings = SessionSettings(max_turns=1)
    inner: Any = StoredSession("sealed", store, session_settings=settings)
    with pytest.raises(TypeError, match="max_turns"):
        await EncryptedSession("sealed", inner, "key").get_items()


@pytest.fixture
async def advanced(tmp_path: Path) -> AsyncIterator[tuple[SQLiteSession, AdvancedSQLiteSession]]:
    path = tmp_path / "c.db"
    ours = SQLiteSession("user", path)
    await ours.add_items(TALK)
    theirs = AdvancedSQLiteSession(session_id="user", db_path=path, create_tables=True)
    await theirs.add_items([user("three")])  # type: ignore[list-item]
    yield ours, theirs
    theirs.close()
    ours.close()


async def test_a_pop_of_the_advanced_class_leaves_ours_alone(
    advanced: tuple[SQLiteSession, AdvancedSQLiteSession],
) -> None:
    ours, theirs = advanced
    assert await theirs.pop_item() == user("three")
    assert await ours.get_items() == TALK


async def test_a_deleted_branch_of_the_advanced_class_takes_nothing_of_ours_along(
    advanced: tuple[SQLiteSession, AdvancedSQLiteSession],
) -> None:
    ours, theirs = advanced
    await theirs.create_branch_from_turn(1, "other")
    await theirs.add_items([user("on the branch")])  # type: ignore[list-item]
    await theirs.delete_branch("other", force=True)
    assert await ours.get_items() == [*TALK, user("three")]


async def test_branches_of_the_advanced_class_do_not_show_in_ours(
    advanced: tuple[SQLiteSession, AdvancedSQLiteSession],
) -> None:
    ours, theirs = advanced
    await theirs.create_branch_from_turn(1, "other")
    await theirs.add_items([user("on the branch")])  # type: ignore[list-item]
    assert user("on the branch") not in await ours.get_items()
