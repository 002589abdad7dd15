"""Blocking calls under gevent, whose greenlets share one thread."""

import subprocess
import sys
import textwrap
from pathlib import Path

_UNDER_GEVENT = """
    from gevent import monkey
    monkey.patch_all()
    import gevent, sys
    from turnlog import Agent, OfflineModel, Runner, SQLiteSession, sync

    agent = Agent("Assistant", model=OfflineModel())

    def ask(user, question):
        session = SQLiteSession(user, sys.argv[1])
        return Runner.run_sync(agent, question, session=session).final_output

    ask("alice", "My name is Alice.")
    assert ask("alice", "Who am I?") == "Your name is Alice."
    others = [gevent.spawn(ask, f"user-{n}", f"My name is Bob{n}.") for n in range(8)]
    gevent.joinall(others, raise_error=True)
    for n in range(8):
        assert ask(f"user-{n}", "Who am I?") == f"Your name is Bob{n}."
    assert len(sync.SQLiteSession(sys.argv[1], session_id="alice").get_items()) == 4

    async def blocks_its_loop():
        ask("alice", "Hello")

    try:
        sync.run(blocks_its_loop)
    except RuntimeError as error:
        assert "write await Runner.run(...) instead" in str(error), error
        print("done")
"""


def test_runs_one_after_another_and_side_by_side(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_UNDER_GEVENT), tmp_path / "chat.db"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout == "done\n", done.stderr
