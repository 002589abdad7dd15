"""The blocking twin of `OpenAIResponsesCompactionSession`."""

from pathlib import Path
from typing import Any

from tests.sample_items import answer, user
from turnlog import sync
from turnlog.items.json import Item

SUMMARY: Item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}


class Client:
    def __init__(self) -> None:
        self.responses = self
        self.output, self.usage = [SUMMARY], None

    async def compact(self, **_: Any) -> "Client":
        return self


def test_it_compacts_a_twin(tmp_path: Path) -> None:
    with sync.SQLiteSession(tmp_path / "c.db", session_id="a") as inner:
        session = sync.OpenAIResponsesCompactionSession(
            "a", inner, client=Client(), model="gpt-5-mini"
        )
        session.add_items([user("one"), answer("1")])
        session.run_compaction()
        assert len(session.get_items()) == 2
        session.run_compaction({"force": True})
        assert session.get_items() == [SUMMARY] == inner.get_items()
        assert inner.drop_summary()
        assert session.get_items() == [user("one"), answer("1")]
