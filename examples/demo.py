"""The main job in three processes: one tells, another asks, a third shows what is stored."""

import subprocess
import sys
import tempfile
from pathlib import Path

from turnlog.cli.models import model_notice

TOLD = "My name is Alice and I love Python"
ASKED = "What's my name?"


def turnlog(*arguments: str, says: str = "") -> str:
    """Run a command of turnlog in a process of its own; what it printed."""
    command = [sys.executable, "-m", "turnlog", *arguments]
    done = subprocess.run(
        command, input=says, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.strip()


def main() -> None:
    """Exit with status 1 if the agent does not remember."""
    print(f"{model_notice()}\n")
    with tempfile.TemporaryDirectory() as folder:
        store = ("--store", str(Path(folder) / "demo.db"))
        chat = ("chat", "--session", "alice", *store)
        print(f"process 1, you:   {TOLD}")
        print(f"process 1, agent: {turnlog(*chat, says=TOLD)}\n")
        print(f"process 2, you:   {ASKED}")
        answer = turnlog(*chat, says=ASKED)
        print(f"process 2, agent: {answer}\n")
        print("process 3, what is stored (turnlog show alice):\n")
        print(turnlog("show", "alice", *store))
    if "Alice" not in answer:
        sys.exit("\nThe agent did not remember.")


if __name__ == "__main__":
    main()
