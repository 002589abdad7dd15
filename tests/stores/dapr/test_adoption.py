"""Adoption of what the SDK stored behind a Dapr sidecar."""

import asyncio
import json
from random import Random
from typing import Any

import pytest
from agents.extensions.memory import DaprSession as SDKSession
from dapr.aio.clients import DaprClient as AsyncDaprClient
from dapr.clients.exceptions import DaprGrpcError

from tests.sample_items import user
from tests.servers.dapr_sidecar import STORE, Fault, Sidecar, well
from tests.stores.dapr.samples import LOG
from turnlog.changes import Key
from turnlog.records import Log
from turnlog.sessions.dapr import DaprSession
from turnlog.testing.looking import all_sessions

pytestmark = pytest.mark.anyio


def sdk(client: AsyncDaprClient, session_id: str = "session") -> Any:
    return SDKSession(session_id, state_store_name=STORE, dapr_client=client)


async def test_what_the_sdk_stored_is_adopted(
    sidecar: Sidecar, async_client: AsyncDaprClient
) -> None:
    items = [user(f"é {n}") for n in range(100)]
    await sdk(async_client).add_items(items)
    session = DaprSession("session", STORE, async_client)
    assert await session.get_items() == items
    await session.add_items([user("more")])
    assert await session.pop_item() == user("more")
    assert await session.pop_item() == items[-1]
    assert json.loads(sidecar.component.documents["session:messages"].data) == []
    assert await all_sessions(session.store) == ["session"]
    await session.store.delete("session")
    assert await session.get_items() == []


@pytest.mark.parametrize("verb", ["add", "pop", "clear", "logs"])
async def test_whatever_comes_first_adopts(async_client: AsyncDaprClient, verb: str) -> None:
    await sdk(async_client).add_items([user("1"), user("2")])
    session = DaprSession("session", STORE, async_client)
    if verb == "add":
        await session.add_items([user("3")])
        assert await session.get_items() == [user("1"), user("2"), user("3")]
    elif verb == "pop":
        assert await session.pop_item() == user("2")
        assert await session.get_items() == [user("1")]
    elif verb == "logs":
        (head,) = await session.store.logs("session")
        assert head.length == 2
    else:
        await session.store.delete("session")
        assert await session.get_items() == []
        assert await sdk(async_client).get_items() == []


async def test_many_adopt_at_once(sidecar: Sidecar, async_client: AsyncDaprClient) -> None:
    items = [user(str(n)) for n in range(100)]
    await sdk(async_client).add_items(items)
    sessions = [DaprSession("session", STORE, async_client) for _ in range(6)]
    await asyncio.gather(*(session.add_items([user("new")]) for session in sessions))
    assert await sessions[0].get_items() == items + [user("new")] * 6


async def test_adoption_survives_lost_answers(
    sidecar: Sidecar, async_client: AsyncDaprClient
) -> None:
    for seed in range(12):
        name = f"s{seed}"
        sidecar.plan = well
        await sdk(async_client, name).add_items([user("1"), user("2")])
        chance = Random(seed)

        def plan(verb: str, keys: list[str], chance: Random = chance) -> Fault | None:
            lost = verb == "SaveState" and chance.random() < 0.5
            return Fault("UNAVAILABLE", happened=chance.random() < 0.5) if lost else None

        sidecar.plan = plan
        session = DaprSession(name, STORE, async_client)
        while True:
            try:
                await session.store.append(
                    Log(name), [json.dumps(user("3")).encode()], key=Key("k")
                )
                break
            except DaprGrpcError:
                continue
        sidecar.plan = well
        assert await session.get_items() == [user("1"), user("2"), user("3")]


async def test_what_the_sdk_adds_while_it_is_adopted_is_adopted_too(
    sidecar: Sidecar, async_client: AsyncDaprClient
) -> None:
    await sdk(async_client).add_items([user("1")])

    def plan(verb: str, keys: list[str]) -> Fault | None:
        if verb == "SaveState" and keys == ["session:messages"]:
            kept = sidecar.component.documents["session:messages"]
            kept.data, kept.etag = json.dumps([json.dumps(user(n)) for n in "12"]).encode(), "new"
            sidecar.plan = well
        return None

    sidecar.plan = plan
    session = DaprSession("session", STORE, async_client)
    await session.get_items()  # it may have begun before the addition
    assert await session.get_items() == [user("1"), user("2")]


@pytest.mark.parametrize("broken", [b"not json", b'{"a": 1}', b"\xff", b"[1, "])
async def test_a_broken_array_is_left_alone(
    sidecar: Sidecar,
    async_client: AsyncDaprClient,
    broken: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await async_client.save_state(STORE, "session:messages", broken)
    session = DaprSession("session", STORE, async_client)
    with pytest.raises(ValueError, match="can't be read"):
        await session.add_items([user("1")])
    assert await session.get_items() == []
    assert await session.pop_item() is None
    assert sidecar.component.documents["session:messages"].data == broken
    assert "can't be read" in caplog.text
    await session.store.delete("session")
    await session.add_items([user("1")])
    assert await session.get_items() == [user("1")]


async def test_entries_that_are_no_text_or_no_item(async_client: AsyncDaprClient) -> None:
    entries = [json.dumps(user("1")), "broken", user("2"), 7]
    await async_client.save_state(STORE, "session:messages", json.dumps(entries))
    session = DaprSession("session", STORE, async_client)
    assert await session.get_items() == [user("1"), user("2")]
    assert len(await session.store.read(LOG)) == 4


async def test_ids_that_look_like_keys_of_the_sdk(async_client: AsyncDaprClient) -> None:
    ids = ["a", "a:messages", "a:metadata", "turnlog:a", "turnlog:a:main", "A", "a||b", "a%7c"]
    for each in ids:
        await DaprSession(each, STORE, async_client).add_items([user(each)])
    await sdk(async_client, "turnlog:a:main").add_items([user("the SDK's")])
    for each in ids:
        assert await DaprSession(each, STORE, async_client).get_items() == [user(each)]
