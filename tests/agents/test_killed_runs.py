"""Killed runs: a run that is killed at any step, on every store that outlives a process."""

import asyncio
import json
import subprocess

import pytest

from tests import ROOT
from tests.programs import command
from tests.providers.view_rules import accepted_everywhere
from tests.sample_items import answer, user
from tests.sizes import SECONDS, STRIDE
from turnlog import StoredSession, open_store
from turnlog.items.json import Item
from turnlog.items.repair import repair

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.mark.proof
@pytest.mark.parametrize("way", ["run", "run_streamed"])
async def test_nothing_is_lost_or_doubled_at_whatever_step_a_run_is_killed(
    any_url: str, way: str
) -> None:
    program = command("kill_runs", any_url, way, STRIDE)
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
    assert len(lines) > 30 // STRIDE
    async with open_store(any_url) as store:
        for line in lines:
            items = await StoredSession(line["session"], store).get_items()
            _check(items, line["told"])


def _check(items: list[Item], told: list[Item]) -> None:
    accepted_everywhere(repair(items))
    missing = [item for item in told if item not in items]
    assert missing == [], "somebody was told of what is not stored"
    # One that was killed once its answer was stored is asked anew by the next try.
    answers = [place for place, item in enumerate(items) if item == answer("done")]
    questions = [place for place, item in enumerate(items) if item == user("go")]
    assert len(questions) == len(answers)
    assert [0, *(place + 1 for place in answers)] == [*questions, len(items)]
