"""Identity: two handles on one database are recognised as such."""

from collections.abc import AsyncIterator

import pytest
from dapr.aio.clients import DaprClient as AsyncDaprClient
from dapr.clients import DaprClient
from redis.asyncio import Redis, RedisCluster, Sentinel

from tests.servers.dapr_sidecar import STORE, Sidecar
from tests.servers.process import HOST
from tests.servers.redis import RedisServer
from turnlog import StoredSession
from turnlog.store import Store
from turnlog.stores.dapr import DaprStore, at_address
from turnlog.stores.redis import RedisStore

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("redis://localhost", "redis://127.0.0.1:6379/0"),
        ("redis://[::1]:6379", "redis://LOCALHOST/0"),
        ("redis://cache.example.", "redis://:word@Cache.Example:6379/0"),
        ("redis://a/3", "redis://a?db=3"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?db=0"),
        ("redis+cluster://localhost:7000", "redis+cluster://127.0.0.1:7000"),
    ],
)
def test_addresses_of_one_redis(one: str, other: str) -> None:
    first = RedisStore.from_url(one)
    second = RedisStore.from_url(other, ttl=60, patience=1.0, socket_timeout=5)
    assert first.identity == second.identity
    assert hash(first.identity) == hash(second.identity)


def test_addresses_of_several_redises() -> None:
    urls = ["redis://a", "redis://b", "redis://a:6380", "redis://a/1", "unix:///a", "unix:///b"]
    urls += ["redis+cluster://a"]
    stores = [RedisStore.from_url(url) for url in urls]
    stores += [RedisStore.from_url("redis://a", key_prefix="other")]
    stores += [RedisStore(Redis(connection_pool=None, host="a", db=2))]
    assert len({store.identity for store in stores}) == len(stores)


def test_clients_of_redis_that_were_handed_in() -> None:
    client = Redis(host="localhost", port=7000)
    assert RedisStore(client).identity == RedisStore(client, ttl=5).identity
    assert RedisStore(client).identity == RedisStore.from_url("redis://127.0.0.1:7000").identity
    cluster = RedisCluster(host="localhost", port=7000)
    at = RedisStore.from_url("redis+cluster://localhost:7000")
    assert RedisStore(cluster).identity == at.identity != RedisStore(client).identity


def test_clients_by_way_of_sentinels() -> None:
    def store(service: str, port: int = 26379, db: int = 0) -> Store:
        watching = Sentinel([(HOST, port)])  # type: ignore[no-untyped-call]
        return RedisStore(watching.master_for(service, db=db))

    assert store("chats").identity == store("chats").identity
    others = [store("chats"), store("logs"), store("chats", 26380), store("chats", db=1)]
    assert len({other.identity for other in others}) == 4


def test_handles_on_one_component(sidecar: Sidecar, blocking_client: DaprClient) -> None:
    here = sidecar.address.replace("127.0.0.1", "localhost")
    stores = [
        DaprStore(STORE, at_address(sidecar.address)),
        DaprStore(STORE, at_address(here), ttl=60),
        DaprStore(STORE, at_address(f"dns:{here}"), consistency="strong"),
        DaprStore(STORE, blocking_client),
    ]
    assert len({store.identity for store in stores}) == 1
    others = [DaprStore("other", blocking_client), DaprStore(STORE, at_address("localhost:1"))]
    assert len({store.identity for store in [stores[0], *others]}) == 3


async def test_a_client_for_asyncio_leads_there_too(
    sidecar: Sidecar, async_client: AsyncDaprClient
) -> None:
    given = DaprStore(STORE, async_client)
    assert given.identity == DaprStore(STORE, at_address(sidecar.address)).identity


@pytest.fixture(params=["redis", "dapr"])
async def handles(
    request: pytest.FixtureRequest, redis: RedisServer, sidecar: Sidecar
) -> AsyncIterator[tuple[Store, Store]]:
    """Two on one database, by different names of its host."""
    first: Store
    second: Store
    if request.param == "redis":
        first = RedisStore.from_url(redis.url, key_prefix="identities")
        second = RedisStore.from_url(redis.url.replace(HOST, "localhost"), key_prefix="identities")
    else:
        first = DaprStore(STORE, at_address(sidecar.address))
        second = DaprStore(STORE, at_address(sidecar.address.replace(HOST, "localhost")))
    async with first, second:
        yield first, second


async def test_a_call_under_way_is_seen_through_another_handle(
    handles: tuple[Store, Store],
) -> None:
    here, there = (StoredSession("a", store) for store in handles)
    call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
    async with here.turn([{"role": "user", "content": "go"}]) as turn:
        await turn.add([call])
        seen, same = await there.view(), await here.view()
        assert seen == same
        assert not [item for item in seen if item.get("type") == "function_call_output"]
