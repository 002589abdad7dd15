"""Table names are hostile input: each is kept apart or refused."""

import sqlite3
from pathlib import Path

import pytest

from turnlog import SQLiteSession
from turnlog.items.json import Item

pytestmark = pytest.mark.anyio

STRANGE = [
    "semi; DROP TABLE agent_sessions; --",
    'double"quote',
    "single'quote",
    "back`tick",
    "[brackets]",
    "per%cent_under*star?",
    "unit\x1fseparator",
    "new\nline",
    "Größe 表 🙂",
    "select",
    "main.agent_messages",
    "x" * 500,
]


def _user(text: str) -> Item:
    return {"role": "user", "content": text}


async def test_strange_names_are_tables_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    plain = SQLiteSession("same id", path)
    await plain.add_items([_user("plain")])
    for name in STRANGE:
        session = SQLiteSession(
            "same id", path, sessions_table=f"s{name}"[:500], messages_table=name
        )
        await session.add_items([_user(name)], key="once")
        await session.add_items([_user(name)], key="once")
    for name in STRANGE:
        session = SQLiteSession("same id", path, f"s{name}"[:500], name)
        assert await session.get_items() == [_user(name)]
        assert [head.length for head in await session.store.sessions()] == [1]
        assert await session.pop_item() == _user(name)
        await session.clear_session()
    assert await plain.get_items() == [_user("plain")]


@pytest.mark.parametrize(
    "name",
    ["", "nul\x00byte", "lone\ud800surrogate", "x" * 10_000, "sqlite_master", "Turnlog_schema"],
)
@pytest.mark.parametrize("role", ["sessions_table", "messages_table"])
def test_what_cannot_be_a_table_is_refused_at_once(tmp_path: Path, name: str, role: str) -> None:
    path = tmp_path / "file.db"
    with pytest.raises(ValueError, match=role):
        SQLiteSession("id", path, **{role: name})  # type: ignore[arg-type]
    assert not path.exists()


def test_one_table_cannot_be_both(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="are both"):
        SQLiteSession("id", tmp_path / "file.db", "Same", "same")


async def test_names_that_differ_in_case_are_one_table(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    await SQLiteSession("id", path, "sessions", "messages").add_items([_user("x")], key="once")
    other = SQLiteSession("id", path, "SESSIONS", "Messages")
    await other.add_items([_user("x")], key="once")
    assert await other.get_items() == [_user("x")]


async def test_our_tables_are_as_documented(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    await SQLiteSession("id", path).add_items([_user("x")])
    with sqlite3.connect(path) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        columns = [row[1] for row in db.execute("PRAGMA table_info(agent_messages)")]
        text = db.execute(
            "SELECT message_data, typeof(message_data) FROM agent_messages"
        ).fetchall()
    db.close()
    assert {"agent_sessions", "agent_messages", "idx_agent_messages_session_id"} <= names
    assert columns == ["id", "session_id", "message_data", "created_at"]
    assert text == [('{"role":"user","content":"x"}', "text")]
