"""`turnlog compact`: what would be covered, a summary by a model behind OpenAI's API, and undo."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import turnlog
from tests.providers.openai_server import Reply, serving
from turnlog import Item, StoredSession
from turnlog.stores.sqlite import SQLiteStore
from turnlog.testing.three_turns import turns


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with session "s", which has four turns."""
    file = tmp_path / "s.db"

    async def fill() -> None:
        async with SQLiteStore(file) as store:
            await StoredSession("s", store).add_items(turns(1, 2, 3, 4))

    asyncio.run(fill())
    return file


def shown(path: Path) -> int:
    async def read() -> int:
        async with SQLiteStore(path) as store:
            return len(await StoredSession("s", store).get_items())

    return asyncio.run(read())


def test_a_dry_run_tells_what_would_be_covered(path: Path) -> None:
    status, out, _ = turnlog("compact", "s", "--dry-run", "--store", path)
    assert (status, out) == (0, "a summary would cover 4 items of 2 turns, up to #4\n")
    out = turnlog("compact", "s", "--dry-run", "--keep", 1, "--json", "--store", path)[1]
    assert json.loads(out)["covered"] == 6
    assert turnlog("compact", "s", "--dry-run", "--keep", 4, "--store", path)[1].startswith(
        "nothing was covered"
    )
    assert shown(path) == 8


def test_without_a_model_it_says_what_to_do(path: Path) -> None:
    status, _, err = turnlog("compact", "s", "--store", path)
    assert status == 1
    assert "OPENAI_API_KEY" in err
    for option in (["--dry-run"], ["--keep", "2"]):
        assert turnlog("compact", "s", "--undo", *option, "--store", path)[0] == 2
    assert turnlog("compact", "none", "--dry-run", "--store", path)[0] == 3


def test_a_model_writes_the_summary_and_it_is_undone(path: Path) -> None:
    with serving() as server:
        server.says(Reply(message={"content": "They spoke."}))
        online: dict[str, Any] = {
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": server.url,
            "TURNLOG_MODEL": "gpt-x",
        }
        status, out, err = turnlog("compact", "s", "--store", path, **online)
    assert (status, out) == (0, "a summary covers 4 items of 2 turns, up to #4, written by gpt-x\n")
    assert "question 3" not in json.dumps(server.requests[0].body)
    assert not err
    assert shown(path) == 5
    assert turnlog("compact", "s", "--undo", "--store", path)[1] == "dropped the summary\n"
    out = turnlog("compact", "s", "--undo", "--json", "--store", path)[1]
    assert json.loads(out)["dropped"] is False
    assert shown(path) == 8


def test_all_that_a_summary_stands_for_can_be_shown(path: Path) -> None:
    async def summarise(_: list[Item]) -> str:
        return "They spoke."

    async def compact() -> None:
        async with SQLiteStore(path) as store:
            await StoredSession("s", store).compact(summarise)

    asyncio.run(compact())
    assert len(json.loads(turnlog("show", "s", "--json", "--store", path)[1])) == 5
    assert len(json.loads(turnlog("show", "s", "--json", "--all", "--store", path)[1])) == 8
    assert turnlog("show", "s", "--all", "--limit", 3, "--store", path)[0] == 2


def test_a_failure_of_the_model_is_one_line(path: Path) -> None:
    with serving() as server:
        url = server.url
    online: dict[str, Any] = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": url,
        "TURNLOG_MODEL": "gpt-x",
    }
    status, out, err = turnlog("compact", "s", "--store", path, **online)
    assert (status, out) == (1, "")
    assert err.startswith("turnlog: no summary was written, and nothing has changed: ")
    assert err.count("\n") == 1
    assert "sk-test" not in err
    assert shown(path) == 8


def test_a_summary_that_is_too_long_is_one_line(path: Path) -> None:
    with serving() as server:
        server.says(Reply(message={"content": "word " * 1_000}))
        online: dict[str, Any] = {
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": server.url,
            "TURNLOG_MODEL": "gpt-x",
        }
        status, out, err = turnlog("compact", "s", "--store", path, **online)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "nothing was compacted: have the summariser write less" in err
    assert shown(path) == 8
