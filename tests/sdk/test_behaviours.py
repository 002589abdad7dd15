"""What users of the OpenAI Agents SDK rely on without reading it anywhere.

Wherever we are no different on purpose, the SDK's own session has to pass too: so
what is demanded of ours is a fact, and stays one when the SDK changes.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import agents
import pytest

from tests.sdk.sessions import OURS, Make, numbered, some
from turnlog import Log, SessionSettings, StoredSession

pytestmark = pytest.mark.anyio


async def plant(session: Any, payload: bytes) -> None:
    """Put a record into the session's database as it is."""
    if isinstance(session, StoredSession):
        await session.store.append(Log(session.session_id), [payload])
        return
    with session._locked_connection() as db:
        db.execute(
            "INSERT INTO agent_messages (session_id, message_data) VALUES (?, ?)",
            (session.session_id, payload.decode()),
        )
        db.commit()


# Settings


@pytest.mark.parametrize(
    "given",
    [None, {}, {"limit": 2}, SessionSettings(limit=2), SessionSettings()],
    ids=["none", "empty", "dict", "instance", "unset"],
)
@some(OURS)
async def test_settings_are_never_none_afterwards(make: Make, given: Any) -> None:
    session = make(session_settings=given)
    assert isinstance(session.session_settings, SessionSettings)
    assert session.session_settings.limit == (2 if "2" in repr(given) else None)


async def test_the_sdks_own_settings_are_taken(make: Make) -> None:
    session = make(session_settings=agents.SessionSettings(limit=2))
    await session.add_items(numbered(5))
    assert await session.get_items() == numbered(2, 3)


async def test_unknown_settings_are_named(make: Make) -> None:
    with pytest.raises(TypeError, match=r"^Unknown session settings: nonsense$"):
        make(session_settings={"limit": 1, "nonsense": 2})


async def test_settings_that_are_assigned_later_take_effect(session: Any) -> None:
    await session.add_items(numbered(5))
    for settings in (agents.SessionSettings(limit=2), {"limit": 2}):
        session.session_settings = None
        assert len(await session.get_items()) == 5
        session.session_settings = settings
        assert await session.get_items() == numbered(2, 3)


@pytest.mark.parametrize("settings", [SessionSettings, agents.SessionSettings])
def test_resolving_lays_what_is_set_over_what_was(settings: Callable[..., Any]) -> None:
    before = settings(limit=3)
    assert before.resolve(None).limit == 3
    assert before.resolve({}).limit == 3
    assert before.resolve({"limit": None}).limit == 3
    assert before.resolve(settings()).limit == 3
    assert before.resolve(settings(limit=0)).limit == 0
    assert before.resolve({"limit": 5}).limit == 5
    assert settings().resolve(before).limit == 3
    assert before.limit == 3
    with pytest.raises(TypeError, match=r"^Unknown session settings: nonsense$"):
        before.resolve({"nonsense": 1})


def test_ours_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SessionSettings().limit = 1  # type: ignore[misc]  # that is the point


# Limits


@pytest.mark.parametrize("default", [None, 0, 3, 100, -1])
@pytest.mark.parametrize("explicit", [None, 0, 1, 2, 5, 100, -1])
async def test_an_explicit_limit_wins_over_the_settings(
    make: Make, default: int | None, explicit: int | None
) -> None:
    session = make(session_settings={"limit": default})
    items = numbered(5)
    await session.add_items(items)
    limit = default if explicit is None else explicit
    shown = items if limit is None or limit < 0 else items[max(0, 5 - limit) :]
    assert await session.get_items(explicit) == shown
    assert await session.get_items(limit=explicit) == shown


async def test_a_limit_counts_readable_items(session: Any) -> None:
    for item in numbered(4):
        await session.add_items([item])
        await plant(session, b"{broken")
    assert await session.get_items(2) == numbered(2, 2)
    assert await session.get_items(10) == numbered(4)
    assert await session.get_items(0) == []


# Rows that do not decode


async def test_what_does_not_decode_is_skipped_and_stays(session: Any) -> None:
    await session.add_items(numbered(1))
    await plant(session, b"{broken")
    await session.add_items(numbered(1, 1))
    for _ in range(3):
        assert await session.get_items() == numbered(2)
    if isinstance(session, StoredSession):
        assert len(await session.store.read(Log("a"))) == 3


async def test_pop_removes_what_does_not_decode_on_its_way(session: Any) -> None:
    await plant(session, b"{broken")
    await session.add_items(numbered(1))
    await plant(session, b"{broken")
    await plant(session, b"also")
    assert await session.pop_item() == numbered(1)[0]
    if isinstance(session, StoredSession):
        assert len(await session.store.read(Log("a"))) == 1
    assert await session.pop_item() is None
    assert await session.get_items() == []
    if isinstance(session, StoredSession):
        assert len(await session.store.read(Log("a"))) == 0


# Nothing to add, nothing to pop


@some(OURS)
async def test_adding_nothing_creates_nothing(session: Any, path: Path) -> None:
    await session.add_items([])
    assert not path.exists()
    assert await session.get_items() == []
    assert await session.store.sessions() == []


async def test_pop_on_empty_gives_none(session: Any) -> None:
    assert await session.pop_item() is None
    await session.add_items(numbered(1))
    await session.pop_item()
    assert await session.pop_item() is None
    await session.clear_session()
    assert await session.pop_item() is None


# The round trip


async def test_what_goes_in_comes_out_key_for_key(session: Any) -> None:
    items = [
        {"z": 1, "a": {"y": [True, None, -0.0, 1.0, 1e-7], "b": {}}, "": []},
        {"content": "Grüße 世界 👩‍🚀 \x00\x1f\u2028", "big": 2**70, "lone": "\udc80"},
    ]
    await session.add_items(items)
    assert await session.get_items() == items
    assert json.dumps(await session.get_items()) == json.dumps(items)


async def test_order_is_that_of_insertion(session: Any) -> None:
    for n in range(30):
        await session.add_items(numbered(2, 2 * n))
    assert await session.get_items() == numbered(60)
