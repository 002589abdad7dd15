"""The load test on each database, with our Runner and with the SDK's inside of `held`."""

import json
import subprocess
import sys

import pytest

from tests import ROOT
from tests.sizes import SECONDS, TALKERS

pytestmark = [pytest.mark.slow, pytest.mark.stores("sqlite", "postgres", "redis")]


@pytest.mark.proof
@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("runner", ["ours", "sdk"])
def test_each_message_is_stored_once_and_answered_once(any_url: str, runner: str) -> None:
    command = [sys.executable, "-m", "tests.load", any_url, runner, *map(str, TALKERS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sys.stdout.write(done.stdout)  # pytest -s shows the report
    report = json.loads(done.stdout)
    users, messages = TALKERS
    assert report["messages"] == users * messages
    assert report["requests"] > report["messages"]
    assert report["broken_off"] > 0
    assert report["asked"] >= report["messages"]
    wrong = ("refused", "stored_twice", "questions_in_a_row", "lost", "wrong")
    assert {name: report[name] for name in wrong} == dict.fromkeys(wrong, 0), report
