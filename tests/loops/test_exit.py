"""Exit functions: stages in order, the last one first within each, and none keeps others back."""

import subprocess
import sys

SCRIPT = """
from turnlog.loops.exit import at_exit
def fail():
    print("work 1")
    raise OSError("full")
at_exit(lambda: print("store 1"), "stores")
at_exit(fail, "work")
at_exit(lambda: print("store 2"), "stores")
at_exit(lambda: print("work 2"), "work")
"""


def test_work_ends_before_stores_and_an_error_stops_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=False, capture_output=True, text=True
    )
    assert ended.stdout.split("\n")[:-1] == ["work 2", "work 1", "store 2", "store 1"]
    assert "OSError: full" in ended.stderr
