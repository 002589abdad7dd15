"""Servers that can't be reached: one error that tells the store, its address, and for how long."""

import re

import pytest
from dapr.aio.clients import DaprClient
from dapr.clients.health import DaprHealth
from dapr.conf import settings as dapr_settings

from tests.command_line import turnlog
from tests.sample_items import user
from turnlog import DaprSession, StoredSession, StoreUnreachable, open_store
from turnlog.conversation.retrying import is_certain
from turnlog.stores.outages import outages_named

pytestmark = pytest.mark.anyio

#: No program listens there: only the system may.
PORT = 1

#: URL, and what is told of it.
UNREACHABLE = {
    f"redis://:s3cret@127.0.0.1:{PORT}/3": f"Redis at localhost:{PORT}/3",
    f"redis+cluster://x:s3cret@127.0.0.1:{PORT}": f"Redis Cluster at localhost:{PORT}",
    f"postgresql://bob:s3cret@127.0.0.1:{PORT}/db": f"PostgreSQL at 127.0.0.1:{PORT}/db",
    f"postgresql+psycopg://bob:s3cret@127.0.0.1:{PORT}/db": f"PostgreSQL at 127.0.0.1:{PORT}/db",
    f"mysql://bob:s3cret@127.0.0.1:{PORT}/db": f"MySQL at 127.0.0.1:{PORT}/db",
    f"mysql+aiomysql://bob:s3cret@127.0.0.1:{PORT}/db": f"MySQL at 127.0.0.1:{PORT}/db",
    f"mariadb://bob:s3cret@127.0.0.1:{PORT}/db": f"MariaDB at 127.0.0.1:{PORT}/db",
    f"dapr://127.0.0.1:{PORT}/statestore": f"Dapr at 127.0.0.1:{PORT}",
}
TELLS = (
    r"^{} can't be reached, tried for \d+\.\d s: \w+: .+\. "
    r"Is the server running, and is this its address\?$"
)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dapr_settings, "DAPR_HEALTH_TIMEOUT", 0.1)
    monkeypatch.setattr(dapr_settings, "DAPR_HTTP_PORT", PORT)


@pytest.mark.parametrize(("url", "told"), UNREACHABLE.items(), ids=UNREACHABLE)
async def test_reads_and_writes_tell_the_store_and_its_address(url: str, told: str) -> None:
    store = open_store(url, patience=0.05)
    session = StoredSession("user_123", store)
    for call in (session.get_items(), session.add_items([user("hi")]), store.sessions()):
        with pytest.raises(StoreUnreachable) as caught:
            await call
        assert re.match(TELLS.format(re.escape(told)), str(caught.value))
        assert "s3cret" not in f"{caught.value!r}{caught.value.__cause__!r}"
        assert isinstance(caught.value, ConnectionError)
        assert caught.value.__cause__ is not None
    await store.aclose()


async def test_a_client_that_was_handed_in_is_told_by_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DaprHealth, "wait_for_sidecar", lambda: None)
    async with DaprClient(f"127.0.0.1:{PORT}") as client:
        session = DaprSession("user_123", "statestore", client, patience=0.05)
        with pytest.raises(StoreUnreachable, match=f"^Dapr at 127.0.0.1:{PORT} can't be reached"):
            await session.get_items()


async def test_a_write_that_could_not_be_sent_may_be_tried_again() -> None:
    assert not is_certain(StoreUnreachable("Redis", "host:6379/0", 10.0, "OSError"))


def test_a_login_in_the_text_of_a_driver_is_left_out() -> None:
    failed = OSError("no route to redis://bob:s3cret@host:6379/0\nand more lines")
    with (
        pytest.raises(StoreUnreachable) as caught,
        outages_named("Redis", lambda: "host:6379/0", lambda error: error),
    ):
        raise failed
    assert caught.value.reason == "OSError: no route to redis://***@host:6379/0"


def test_other_errors_pass_unchanged() -> None:
    failed = KeyError("x")
    with (
        pytest.raises(KeyError) as caught,
        outages_named("Redis", lambda: "host:6379/0", lambda _: None),
    ):
        raise failed
    assert caught.value is failed


@pytest.mark.slow
def test_the_command_line_tells_it_in_one_line() -> None:
    url = f"redis://:s3cret@127.0.0.1:{PORT}/3?patience=0.05"
    status, out, err = turnlog("ls", "--store", url)
    assert (status, out) == (1, "")
    assert re.match(TELLS.format("turnlog: " + re.escape(f"Redis at localhost:{PORT}/3")), err)
    assert err.count("\n") == 1
