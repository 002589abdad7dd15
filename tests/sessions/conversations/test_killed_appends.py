"""Appends with a key that are killed at any step, with a store that outlives the process."""

import asyncio
import json
import subprocess

import pytest

from tests import ROOT
from tests.programs import command
from tests.providers.conversations_server import Server
from tests.sessions.conversations.conversations import texts
from tests.sizes import SECONDS, STRIDE

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.stores("sqlite", "postgres", "redis"),
]


@pytest.mark.proof
async def test_each_item_is_there_once_at_whatever_step_the_append_is_killed(
    any_url: str, server: Server
) -> None:
    program = command("kill_appends", any_url, server.url, 2 * STRIDE)
    done = await asyncio.to_thread(
        subprocess.run,
        program,
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    expected = ["first", *(str(n) for n in range(100))]
    for line in lines:
        assert texts(server.conversations[line["conversation"]].items) == expected
    counts = {count for line in lines for count in line["counts"]}
    assert counts >= {0, 20, 40, 60, 80, 100}
