"""Older databases: what an older version wrote opens unchanged and continues."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers.dapr_sidecar import STORE, Kept, Sidecar
from tests.servers.redis import RedisServer
from tests.stores.older import (
    DATA,
    EXPECTED,
    older_mariadb,
    older_postgresql,
    older_sqlite,
)
from turnlog import Conflict, Log, Store, StoredSession, open_store

pytestmark = pytest.mark.anyio


def _redis(server: RedisServer) -> str:
    client = server.client()
    client.flushall()
    put: dict[str, Callable[[bytes, Any], object]] = {
        "string": lambda key, value: client.set(key, _bytes(value)),
        "hash": lambda key, value: client.hset(
            key, mapping={_bytes(field): _bytes(text) for field, text in value}
        ),
        "list": lambda key, value: client.rpush(key, *map(_bytes, value)),
        "set": lambda key, value: client.sadd(key, *map(_bytes, value)),
        "zset": lambda key, value: client.zadd(
            key, {_bytes(member): score for member, score in value}
        ),
    }
    for key, kind, expires, value in json.loads((DATA / "redis.json").read_text()):
        put[kind](_bytes(key), value)
        if expires > 0:
            client.pexpire(_bytes(key), expires)
    client.close()
    return server.url


def _dapr(sidecar: Sidecar) -> str:
    documents = json.loads((DATA / "dapr.json").read_text())
    for number, (key, data) in enumerate(documents.items()):
        sidecar.component.documents[key] = Kept(_bytes(data), f"old-{number}", None, None)
    return f"dapr://{sidecar.address}/{STORE}"


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


@pytest.fixture(params=EXPECTED)
async def older(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Store, dict[str, Any]]]:
    """A store on an older database, and what that holds."""
    kind: str = request.param
    match kind:
        case "sqlite" | "sqlalchemy":
            path = older_sqlite(kind, tmp_path)
            url = f"sqlite{'+aiosqlite' * (kind == 'sqlalchemy')}:///{path}"
        case "postgresql":
            url = await older_postgresql(request.getfixturevalue("postgres"))
        case "mariadb":
            url = older_mariadb(request.getfixturevalue("mariadb"))
        case "redis":
            url = _redis(request.getfixturevalue("own_redis"))
        case "dapr":
            url = _dapr(request.getfixturevalue("sidecar"))
    async with open_store(url) as store:
        yield store, EXPECTED[kind]


async def test_all_is_there(older: tuple[Store, dict[str, Any]]) -> None:
    store, expected = older
    heads = await store.sessions(limit=100)
    assert {head.log.session for head in heads} == set(expected)
    for session, logs in expected.items():
        found = {head.log.name: head for head in await store.logs(session)}
        assert set(found) == set(logs)
        for name, held in logs.items():
            records = await store.read(Log(session, name))
            assert list(records.positions) == held["positions"]
            assert [data.decode("latin-1") for data in records.payloads] == held["payloads"]
            assert found[name].last == held["last"]
            assert found[name].length == held["length"]
            assert found[name].note.decode() == held["note"]


async def test_it_goes_on(older: tuple[Store, dict[str, Any]]) -> None:
    store, expected = older
    item = {"role": "user", "content": "And now?"}
    for session, logs in expected.items():
        last = logs["main"]["last"]
        with pytest.raises(Conflict):
            await store.append(Log(session), [b"{}"], expect=last + 1)
        await StoredSession(session, store).add_items([item])
        records = await store.read(Log(session))
        assert list(records.positions[:-1]) == logs["main"]["positions"]
        assert records.positions[-1] > last
        assert (await StoredSession(session, store).get_items())[-1] == item
    assert (await store.sessions())[0].log.session == list(expected)[-1]


async def test_a_key_is_still_known(older: tuple[Store, dict[str, Any]]) -> None:
    store, expected = older
    keyed = StoredSession("keyed", store)
    await keyed.add_items([{"role": "user", "content": "once more"}], key="request-2")
    records = await store.read(Log("keyed"))
    assert list(records.positions) == expected["keyed"]["main"]["positions"]


async def test_positions_are_not_used_again(older: tuple[Store, dict[str, Any]]) -> None:
    store, expected = older
    used = max(expected["gaps"]["main"]["positions"])
    gaps = StoredSession("gaps", store)
    assert await gaps.pop_item() == {"role": "user", "content": "after the gap"}
    assert await store.append(Log("gaps"), [b"{}"]) > used


async def test_a_lease_that_was_left_behind_ends(older: tuple[Store, dict[str, Any]]) -> None:
    store, _ = older
    async with StoredSession("crashed", store).turn("unanswered", policy="reject") as turn:
        assert turn.input == [{"role": "user", "content": "unanswered"}]


async def test_reading_changes_nothing(tmp_path: Path) -> None:
    path = older_sqlite("sqlite", tmp_path)
    before = path.read_bytes()
    async with open_store(f"sqlite:///{path}") as store:
        await test_all_is_there((store, EXPECTED["sqlite"]))
        sessions = [head.log.session for head in await store.sessions()]
        assert sessions == list(EXPECTED["sqlite"])
        assert [h.log.session for h in await store.sessions(prefix="c", oldest=True)] == ["crashed"]
    assert path.read_bytes() == before
