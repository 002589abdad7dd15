"""Appends with a key and runs that are killed at any step, with a store that outlives them."""

import asyncio
import json
import subprocess
from typing import Any

import pytest

from tests import ROOT
from tests.programs import command
from tests.providers.conversations_server import Server
from tests.providers.view_rules import accepted_everywhere
from tests.sessions.conversations.conversations import texts
from tests.sizes import SECONDS, STRIDE
from turnlog.items.json import Item
from turnlog.items.repair import repair
from turnlog.sessions.conversations.forms import shown

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.stores("sqlite", "postgres", "redis"),
]


async def killed(server: Server, *arguments: object) -> list[dict[str, Any]]:
    """What `kill_conversations` prints."""
    done = await asyncio.to_thread(
        subprocess.run,
        command("kill_conversations", *arguments),
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.proof
async def test_each_item_is_there_once_at_whatever_step_the_append_is_killed(
    any_url: str, server: Server
) -> None:
    expected = ["first", *(str(n) for n in range(100))]
    counts: set[int] = set()
    # A stride may step over all steps between two requests; from another step on, it does not.
    for first in range(0, 3 * STRIDE, STRIDE):
        if counts >= {0, 20, 40, 60, 80, 100}:
            break
        lines = await killed(server, any_url, server.url, "append", 3 * STRIDE, first)
        for line in lines:
            assert texts(server.conversations[line["conversation"]].items) == expected
        counts |= {count for line in lines for count in line["counts"]}
    assert counts >= {0, 20, 40, 60, 80, 100}


@pytest.mark.proof
@pytest.mark.stores("sqlite", "redis")
async def test_the_question_is_there_once_at_whatever_step_the_run_is_killed(
    any_url: str, server: Server
) -> None:
    lines = await killed(server, any_url, server.url, "run", 3 * STRIDE, 0)
    assert len({count for line in lines for count in line["counts"]}) > 3
    for line in lines:
        items = [shown(item) for item in server.conversations[line["conversation"]].items[1:]]
        accepted_everywhere(repair(items))
        said = [text for text in map(_text, items) if text is not None]
        # One that was killed once its answer was stored is asked anew by the next try.
        assert said == ["go", "done"] * (len(said) // 2)
        assert _text(items[-1]) == "done"


def _text(item: Item) -> str | None:
    return item["content"][0]["text"] if item["type"] == "message" else None
