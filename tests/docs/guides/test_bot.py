"""The guide to bots: its program answers many chats, and ends as its page says."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import files_on
from tests.docs.guides.programs import SLOW, held, write_files
from turnlog.sync import SQLiteSession

pytestmark = pytest.mark.slow

STARTED = "\nif __name__ == '__main__':\n    asyncio.run(main())\n"


class Running:
    """The bot, with a model that takes its time."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process, self._folder = process, folder

    def tell(self, chat: str, number: str, text: str) -> None:
        assert self.process.stdin is not None
        print(
            json.dumps({"chat": chat, "id": number, "text": text}),
            file=self.process.stdin,
            flush=True,
        )

    def hear(self, count: int) -> list[dict[str, str]]:
        """The next `count` messages of the bot."""
        assert self.process.stdout is not None
        return [json.loads(self.process.stdout.readline()) for _ in range(count)]

    def until_asked(self, times: int) -> None:
        while len(self.asked) < times:
            assert self.process.poll() is None
            time.sleep(0.02)

    @property
    def asked(self) -> list[str]:
        path = self._folder / "asked"
        return path.read_text().split() if path.exists() else []

    def stored(self, chat: str) -> list[Any]:
        session = SQLiteSession(self._folder / "conversations.db", session_id=f"chat/{chat}")
        return [item["role"] for item in session.get_items()]


@contextmanager
def bot(folder: Path, pause: str = "0.02") -> Iterator[Running]:
    slow = SLOW.format(module="bot") + STARTED
    write_files({**files_on("docs/guides/bot.md"), "slow.py": slow}, folder)
    with subprocess.Popen(
        [sys.executable, "-W", "error", "slow.py"],
        cwd=folder,
        env={"PAUSE": pause, "PATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Running(process, folder)
        finally:
            process.kill()


def test_each_chat_is_remembered_by_itself(tmp_path: Path) -> None:
    with bot(tmp_path, "0") as running:
        for chat, name in (("7", "Alice"), ("8", "Bob")):
            running.tell(chat, "1", f"My name is {name}")
        running.hear(2)
        for chat in ("7", "8"):
            running.tell(chat, "2", "What's my name?")
        said = {each["chat"]: each["text"] for each in running.hear(2)}
    assert said == {"7": "Your name is Alice.", "8": "Your name is Bob."}


def test_many_chats_are_answered_side_by_side(tmp_path: Path) -> None:
    with bot(tmp_path) as running:
        for chat in range(60):
            running.tell(str(chat), "1", f"I live in house {chat}")
        said = {each["chat"]: each["text"] for each in running.hear(60)}
    assert said == {str(n): f"I'll remember: you live in house {n}." for n in range(60)}


def test_messages_that_come_quickly_are_answered_in_order(tmp_path: Path) -> None:
    with bot(tmp_path) as running:
        for number in range(5):
            running.tell("7", str(number), f"I live in house {number}")
        said = [each["text"] for each in running.hear(5)]
        assert said == [f"I'll remember: you live in house {number}." for number in range(5)]
        assert running.stored("7") == ["user", "assistant"] * 5


def test_a_chat_with_many_messages_holds_up_no_other(tmp_path: Path) -> None:
    with bot(tmp_path) as running, held(tmp_path, "house"):
        for number in range(150):
            running.tell("7", str(number), f"I live in house {number}")
        running.until_asked(1)
        running.tell("8", "1", "My name is Bob")
        assert running.hear(1)[0]["chat"] == "8"


def test_an_error_is_told_and_the_chat_goes_on(tmp_path: Path) -> None:
    with bot(tmp_path, "0") as running:
        running.tell("7", "1", "My name is Alice")
        running.hear(1)
        running.tell("7", "1", "Another message under the same id")
        assert running.hear(1)[0]["text"] == "Something went wrong. Please send it again."
        running.tell("7", "2", "What's my name?")
        assert running.hear(1)[0]["text"] == "Your name is Alice."


def test_a_message_that_is_delivered_twice_is_asked_once(tmp_path: Path) -> None:
    with bot(tmp_path) as running:
        for _ in range(2):
            running.tell("7", "1", "My name is Alice")
        [first, second] = running.hear(2)
        assert first == second
        assert len(running.asked) == 1
        assert running.stored("7") == ["user", "assistant"]


def test_a_killed_process_is_continued_by_the_next(tmp_path: Path) -> None:
    with bot(tmp_path, "0.5") as running:
        running.tell("7", "1", "My name is Alice")
        running.until_asked(1)
    with bot(tmp_path, "0") as running:
        running.tell("7", "1", "My name is Alice")
        assert running.hear(1)[0]["text"] == "I'll remember: your name is Alice."
        assert running.stored("7") == ["user", "assistant"]


def test_forgetting_waits_for_the_answer_under_way(tmp_path: Path) -> None:
    with bot(tmp_path, "0.1") as running:
        running.tell("7", "1", "My name is Alice")
        running.until_asked(1)
        running.tell("7", "2", "/forget")
        said = [each["text"] for each in running.hear(2)]
        assert said == ["I'll remember: your name is Alice.", "I have forgotten this chat."]
        assert running.stored("7") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_answers_under_way_end_before_the_process_does(
    number: signal.Signals, tmp_path: Path
) -> None:
    with bot(tmp_path, "0.3") as running:
        for chat in range(8):
            running.tell(str(chat), "1", "My name is Alice")
        running.until_asked(8)
        running.process.send_signal(number)
        said = Counter(each["text"] for each in running.hear(8))
        assert running.process.wait() == 0
    assert said == {"I'll remember: your name is Alice.": 8}


def test_it_ends_with_its_input(tmp_path: Path) -> None:
    with bot(tmp_path) as running:
        running.tell("7", "1", "My name is Alice")
        assert running.process.stdin is not None
        running.process.stdin.close()
        assert running.process.wait() == 0
        assert running.stored("7") == ["user", "assistant"]
