"""The guide to pytest: the printed tests pass, and fail if the agent is broken."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import files_on
from tests.docs.guides.programs import write_files

pytestmark = pytest.mark.slow

FILES = files_on("docs/guides/pytest.md")
TESTS = len(re.findall(r"^def test_", FILES["test_shop.py"], re.MULTILINE))


def run_pytest(folder: Path) -> str:
    """What `pytest test_shop.py` prints in a folder of its own, and under a key of OpenAI's."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shop.py"],
        cwd=folder,
        env={**os.environ, "OPENAI_API_KEY": "unused", "PYTEST_ADDOPTS": "-W error"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip().splitlines()[-1]


def test_the_printed_tests_pass(tmp_path: Path) -> None:
    write_files(FILES, tmp_path)
    assert run_pytest(tmp_path).startswith(f"{TESTS} passed")


def test_the_printed_tests_find_a_broken_agent(tmp_path: Path) -> None:
    broken = FILES["shop.py"].replace("is on its way", "is lost").replace("Help with", "Sell")
    write_files({**FILES, "shop.py": broken}, tmp_path)
    assert run_pytest(tmp_path).startswith(f"2 failed, {TESTS - 2} passed")
