"""Blocking twins of stored sessions: what their methods do."""

from pathlib import Path
from types import SimpleNamespace

from tests.sample_items import answer, user
from turnlog import Position, sync
from turnlog.conversation.usage.usage import Usage
from turnlog.stores.memory import MemoryStore

TALK = [user("one"), answer("1"), user("two"), answer("2")]


def test_forks_are_twins() -> None:
    session = sync.StoredSession("s", MemoryStore())
    session.add_items(TALK, key="once")
    session.add_items(TALK, key="once")
    fork = session.fork("try", at=2)
    assert type(fork) is sync.StoredSession
    assert (fork.branch, fork.get_items()) == ("try", TALK[:2])
    assert [branch.name for branch in session.branches()] == ["main", "try"]
    edited = session.edit(session.turns()[1].position, user("two, in other words"), "edited")
    assert edited.get_items() == [*TALK[:2], user("two, in other words")]
    assert session.diff(fork).common_turns == session.diff("try").common_turns == 1
    assert session.rewind(turns=1, keep_as="kept") == 2
    assert len(session.view()) == len(session.explain().shown) == 2
    session.switch_to("kept")
    session.delete_branch("try")
    assert session.describe(title="T") == session.about()
    assert len(session.get_items()) == 4
    assert session.rewind(position=Position(session.turns()[0].position)) == 3


def test_the_names_of_the_sdk(tmp_path: Path) -> None:
    with sync.AdvancedSQLiteSession("s", tmp_path / "c.db") as session:
        session.add_items(TALK)
        usage = Usage(10, 2, requests=1)
        session.store_run_usage(SimpleNamespace(context_wrapper=SimpleNamespace(usage=usage)))
        assert session.usage() == session.usage("turn")[2] == usage
        assert session.create_branch_from_content("two", "try") == "try"
        assert session.get_items() == session.get_items(branch_id="try") == TALK[:2]
        assert session.get_items(1, "main") == TALK[3:]
        session.switch_to_branch("main")
        assert session.create_branch_from_turn(2, "other") == "other"
        assert len(session.list_branches()) == 3
        assert len(session.get_conversation_turns("main")) == 2
        assert len(session.find_turns_by_content("ONE")) == 1
        assert list(session.get_conversation_by_turns()) == [1]
        assert session.get_tool_usage() == []
        assert session.get_session_usage()
        assert session.get_turn_usage(2, "main")
        session.clear_session()
        assert session.branch == "main"
