"""The guide for those who come from a table of their own: order, times and counts are kept."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.docs.blocks import files_on
from tests.docs.guides.programs import write_files
from turnlog.sync import StoredSession, open_store

pytestmark = pytest.mark.slow

COPIED = "0 2 conversations, 5 of 5 messages\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_files(files_on("docs/guides/from-a-table.md"), tmp_path)
    run(tmp_path, "sample.py")
    return tmp_path


def run(folder: Path, *words: str) -> str:
    command = [sys.executable, "-W", "error", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return f"{done.returncode} {done.stdout}{done.stderr}"


def copy(folder: Path) -> str:
    return run(folder, "from_table.py", "old.db", "new.db")


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "old.db")) as database, database:
        database.execute(statement)


def test_the_sample_is_copied_with_its_order_times_and_owners(folder: Path) -> None:
    assert copy(folder) == COPIED
    with open_store(folder / "new.db") as store:
        assert [head.log.session for head in store.sessions()] == ["alice/trip", "bob/work"]
        session = StoredSession("bob/work", store)
        assert [item["role"] for item in session.get_items()] == ["system", "user", "assistant"]
        assert session.about().owner == "bob"
        [turn] = StoredSession("alice/trip", store).turns()
        assert datetime.fromtimestamp(turn.created_at, UTC) == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_rows_with_equal_times_keep_the_order_of_their_ids(folder: Path) -> None:
    change(folder, "UPDATE messages SET created_at = '2026-02-01T08:00:00+00:00'")
    copy(folder)
    with open_store(folder / "new.db") as store:
        items = StoredSession("bob/work", store).get_items()
        assert [item["content"] for item in items] == ["Answer briefly.", "Hi", "Hello."]


def test_a_second_run_copies_what_is_missing_and_nothing_twice(folder: Path) -> None:
    copy(folder)
    with open_store(folder / "new.db") as store:
        store.delete("alice/trip")  # as if the first run had been killed before it
    assert copy(folder) == COPIED
    with open_store(folder / "new.db") as store:
        lengths = {head.log.session: head.length for head in store.sessions()}
    assert lengths == {"alice/trip": 2, "bob/work": 3}


def test_rows_that_came_later_are_told(folder: Path) -> None:
    copy(folder)
    change(folder, "INSERT INTO messages SELECT 9, 'trip', 'alice', 'user', 'And?', '2026-04-01'")
    assert copy(folder).strip() == "1 trip: 3 rows, 2 items"


def test_a_conversation_that_is_there_is_not_mixed_with_another(folder: Path) -> None:
    with open_store(folder / "new.db") as store:
        StoredSession("alice/trip", store).add_items([{"role": "user", "content": "mine"}])
        assert "Conflict" in copy(folder)
        assert len(StoredSession("alice/trip", store).get_items()) == 1
