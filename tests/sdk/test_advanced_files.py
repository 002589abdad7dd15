"""Files that the SDK's AdvancedSQLiteSession made: read as they are, then adopted."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import agents
import pytest

from tests.sdk.advanced import (
    contents,
    dump,
    items_of,
    result,
    store_of,
    talk,
    theirs,
    usage_of,
)
from turnlog import SQLAlchemySession, SQLiteSession
from turnlog.changes import Annotate, Append, Check, Forget, Key, Remove, Replace
from turnlog.errors import Conflict, RecordChanged, SchemaError
from turnlog.items.json import encode
from turnlog.records import Log
from turnlog.stores.sqlite import SQLiteStore
from turnlog.stores.tables import Tables

pytestmark = pytest.mark.anyio

OURS = b'{"role":"assistant","content":"ours"}'


async def branched(path: Path) -> None:
    """main: one, two, three; alt: one, other; then more on main. Names used: alt, empty, gone."""
    with theirs(path) as session:
        await talk(session, "one", "two")
        await session.create_branch_from_turn(2, "alt")
        await talk(session, "other", tokens=9)
        await session.create_branch_from_turn(1, "empty")
        await session.switch_to_branch("main")
        await session.create_branch_from_turn(2, "gone")
        await session.switch_to_branch("main")
        await session.delete_branch("gone")
        await talk(session, "three", tokens=7)


def said(*turns: str) -> list[Any]:
    return [
        item
        for turn in turns
        for item in (
            {"role": "user", "content": turn},
            {"role": "assistant", "content": f"{turn}!"},
        )
    ]


async def test_a_file_is_read_as_it_is_and_stays_as_it_was(path: Path) -> None:
    await branched(path)
    before = dump(path)
    async with store_of(path) as store:
        logs = await contents(store)
        assert set(logs) == {"main", "alt", ":usage", ":usage@alt", ":branches"}
        assert await items_of(store) == said("one", "two", "three")
        assert await items_of(store, "alt") == said("one", "other")
        main = [position for position, _, _ in logs["main"]]
        assert await usage_of(store) == {main[0]: 5, main[2]: 5, main[4]: 7}
        alt = [position for position, _, _ in logs["alt"]]
        assert await usage_of(store, ":usage@alt") == {alt[2]: 9}
        names = {record["name"]: record for record in await items_of(store, ":branches")}
        assert set(names) == {"alt", "empty", "gone"}
        assert (names["alt"]["parent"], names["alt"]["position"]) == ("main", main[1])
        assert names["empty"]["position"] == 0
        assert await items_of(store, "gone") == []
        [head] = await store.sessions()
        assert (head.length, head.last) == (6, main[-1])
        assert [r.position for r in await store.read(Log("a", "alt"), limit=1)] == alt[-1:]
        assert [
            r.position
            for r in await store.read(Log("a", "alt"), after=alt[0], limit=1, oldest=True)
        ] == alt[1:2]
    assert dump(path) == before


async def test_times_are_those_of_the_messages_and_not_of_their_copies(path: Path) -> None:
    await branched(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE agent_messages SET created_at = '2001-02-03 04:05:06' WHERE id = 1")
    async with store_of(path) as store:
        before = await contents(store)
        assert before["alt"][0][2] == before["main"][0][2] == 981173106
        await store.append(Log("a"), [OURS])
        assert (await contents(store))["alt"] == before["alt"]


async def test_adoption_changes_nothing_that_is_read(path: Path) -> None:
    await branched(path)
    async with store_of(path) as store:
        before = await contents(store)
        at = (await store.read(Log("a", ":branches"))).positions[-1]
        # Positions that were read before the adoption hold in the commit that adopts.
        record = b'{"name":"mine","parent":"main","position":0,"at":1}'
        await store.commit("a", [Append(":branches", [record], expect=at), Append("mine", [OURS])])
        after = await contents(store)
        assert [*before[":branches"], after[":branches"][-1]] == after[":branches"]
        assert {name: after[name] for name in before if name != ":branches"} == {
            name: logs for name, logs in before.items() if name != ":branches"
        }
    with theirs(path, create=False) as session:
        assert await session.get_items() == said("one", "two", "three")
        assert await session.get_items(branch_id="alt") == said("one", "other")
        with pytest.raises(ValueError, match="already been used"):
            await session.create_branch_from_turn(2, "mine")


async def test_after_adoption_each_side_has_its_own_branches(path: Path) -> None:
    await branched(path)
    async with store_of(path) as store:
        await store.append(Log("a", "alt"), [OURS])
        with theirs(path) as session:
            await session.switch_to_branch("alt")
            await talk(session, "theirs")
            await session.create_branch_from_turn(1, "new")
            await talk(session, "newer")
            await store.append(Log("a"), [OURS])
            assert await session.get_items(branch_id="alt") == said("one", "other", "theirs")
            assert await session.get_items(branch_id="new") == said("newer")
            await session.switch_to_branch("main")
            assert len(await session.get_items()) == 7
        assert (await items_of(store, "alt"))[:-1] == said("one", "other")
        assert (await items_of(store))[:-1] == said("one", "two", "three")
        assert "new" not in await contents(store)


async def test_what_is_cut_from_main_stays_on_the_branches_that_use_it(path: Path) -> None:
    await branched(path)
    async with store_of(path) as store:
        await store.remove(Log("a"), after=1)
        assert await items_of(store) == said("one")[:1]
        with theirs(path) as session:
            assert await session.get_items() == said("one")[:1]
            assert await session.get_items(branch_id="alt") == said("one", "other")
            assert [turn["user_turn_number"] for turn in await session.get_turn_usage()] == [1]
            await store.remove(Log("a"), after=0)
            assert await session.get_turn_usage() == []
            assert await session.get_items(branch_id="alt") == said("one", "other")
        assert await items_of(store, "alt") == said("one", "other")
        assert (await contents(store))["main"] == []


async def test_a_removal_at_the_beginning_takes_the_usage_of_whole_turns(path: Path) -> None:
    await branched(path)
    async with store_of(path) as store:
        await store.remove(Log("a"), before=(await store.read(Log("a"))).positions[3])
        with theirs(path) as session:
            turns = [turn["user_turn_number"] for turn in await session.get_turn_usage()]
            assert turns == [2, 3]
            assert await session.get_items() == said("two", "three")[1:]


async def test_a_failed_condition_adopts_and_writes_nothing_else(path: Path) -> None:
    await branched(path)
    async with store_of(path) as store:
        before = await contents(store)
        with pytest.raises(Conflict):
            await store.append(Log("a", "alt"), [OURS], expect=1)
        assert await contents(store) == before
        done = await store.commit("a", [Append("alt", [OURS])], key=Key("once"))
        again = await store.commit("a", [Append("alt", [OURS])], key=Key("once"))
        assert again == done._replace(replayed=True)


async def test_messages_of_plain_sessions_get_their_place_on_main(path: Path) -> None:
    with theirs(path) as session, closing(agents.SQLiteSession("a", path)) as plain:
        await talk(session, "one")
        await plain.add_items(said("plain"))
        await talk(session, "two", tokens=9)
        async with store_of(path) as store:
            assert await items_of(store) == said("one", "plain", "two")
            await store.append(Log("a"), [OURS])
            first = [record.position for record in await store.read(Log("a"))]
            assert await usage_of(store) == {first[0]: 5, first[4]: 9}
            await plain.add_items(said("plainer"))
            await talk(session, "three", tokens=7)
            await store.append(Log("a", ":lease"), [b"{}"])
            items = await items_of(store)
        assert await session.get_items() == items
        assert [item["content"] for item in items[-4:]] == [
            "plainer",
            "plainer!",
            "three",
            "three!",
        ]
        turns = await session.get_conversation_turns()
        assert [(turn["turn"], turn["content"]) for turn in turns] == [
            (1, "one"),
            (2, "plain"),
            (3, "two"),
            (4, "plainer"),
            (5, "three"),
        ]
        spent = {t["user_turn_number"]: t["input_tokens"] for t in await session.get_turn_usage()}
        assert spent == {1: 5, 3: 9, 5: 7}


TOOLS: list[Any] = [
    {"role": "developer", "content": "x"},
    {"role": "user", "content": "x"},
    {"role": "user", "type": "message", "content": "x"},
    {"role": "assistant", "type": "message", "content": []},
    {"type": "reasoning", "id": "r"},
    {"type": "function_call", "name": "add", "namespace": "math", "arguments": "{}"},
    {"type": "function_call", "name": "add", "namespace": "add", "arguments": "{}"},
    {"type": "function_call", "name": "add", "namespace": None, "arguments": "{}"},
    {"type": "function_call", "name": "", "namespace": "n"},
    {"type": "function_call_output", "call_id": "c", "output": "3"},
    {"type": "mcp_call", "name": "find", "server_label": "shop"},
    {"type": "mcp_call", "name": "find", "server_label": None},
    {"type": "mcp_call", "name": "find"},
    {"type": "mcp_call", "server_label": "shop"},
    {"type": "mcp_approval_request", "name": "", "server_label": ""},
    {"type": "computer_call"},
    {"type": "web_search_call", "name": "ignored"},
    {"type": "tool_search_output"},
    {"type": "tool_search_call"},
    {"type": "custom_tool_call", "name": "c"},
    {"type": ""},
    {"no": "type"},
]


async def test_types_and_tools_are_those_that_the_class_itself_notes(tmp_path: Path) -> None:
    noted = []
    for writer in ("theirs", "ours"):
        path = tmp_path / f"{writer}.db"
        with theirs(path) as session:
            if writer == "theirs":
                await session.add_items(TOOLS)
            else:
                async with SQLiteStore(path) as store:
                    await SQLiteSession("a", path).add_items(TOOLS)
                    await store.append(Log("b"), [b"no JSON", b"\xff", b"[1]"])
            noted.append(
                (
                    await session.get_conversation_by_turns(),
                    await session.get_tool_usage(),
                    await session.get_conversation_turns(),
                )
            )
    [theirs_noted, ours_noted] = [(turns, tools) for turns, tools, _ in noted]
    assert ours_noted == theirs_noted


async def test_replacing_leaves_its_rows_as_they_are(path: Path) -> None:
    await branched(path)
    rows = "SELECT * FROM message_structure ORDER BY id"
    with closing(sqlite3.connect(path)) as db:
        before = db.execute(rows).fetchall()
        async with store_of(path) as store:
            logs = await contents(store)
            changes = []
            for name in ("main", "alt"):
                positions = [position for position, _, _ in logs[name]]
                old = [payload for _, payload, _ in logs[name]]
                new = [payload.replace(b"one", b"ONE") for payload in old]
                changes.append(Replace(name, positions, new, old))
            await store.commit("a", changes)
            assert await items_of(store) == said("ONE", "two", "three")
            assert await items_of(store, "alt") == said("ONE", "other")
        assert db.execute(rows).fetchall() == before
    with theirs(path) as session:
        assert await session.get_items() == said("ONE", "two", "three")
        await session.switch_to_branch("alt")  # it shares the messages of "main"
        assert await session.get_items() == said("ONE", "other")


async def test_a_message_of_another_branch_is_not_on_main(path: Path) -> None:
    await branched(path)
    async with store_of(path) as store:
        await store.append(Log("a"), [OURS])
        before = dump(path)
        with closing(sqlite3.connect(path)) as db:
            [other] = db.execute(
                "SELECT id FROM agent_messages WHERE message_data LIKE '%other!%'"
            ).fetchone()
            [data] = db.execute(
                "SELECT message_data FROM agent_messages WHERE id = ?", (other,)
            ).fetchone()
        with pytest.raises(RecordChanged):
            await store.commit("a", [Replace("main", [other], [b"{}"], [data.encode()])])
        assert dump(path) == before


async def test_deleting_a_branch_or_the_conversation_reaches_its_side(path: Path) -> None:
    await branched(path)
    async with store_of(path) as store:
        await store.append(Log("a"), [OURS])
        with theirs(path) as session:
            await session.switch_to_branch("alt")
            await store.commit("a", [Forget("alt"), Forget(":usage@alt")])
            assert [b["branch_id"] for b in await session.list_branches()] == ["main"]
            assert "alt" not in await contents(store)
            assert (await items_of(store))[:-1] == said("one", "two", "three")
            await store.commit("a", [Remove("main"), Annotate("main", b"t")])
            assert await session.get_items() == []  # it has gone back to main
            await session.add_items(said("again"))
            assert await items_of(store) == said("again")
            await store.delete("a")
            assert await session.get_items() == []
    with closing(sqlite3.connect(path)) as db:
        for table in (
            "agent_messages",
            "message_structure",
            "turn_usage",
            "branch_reservations",
            "turnlog_agent_messages_adopted",
            "turnlog_agent_messages_records",
        ):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.parametrize("cleared_by", ["advanced", "plain"])
async def test_its_clear_takes_ours_along_and_keeps_used_names(path: Path, cleared_by: str) -> None:
    await branched(path)
    async with store_of(path) as store:
        await store.append(Log("a"), [OURS])
        with theirs(path) as session, closing(agents.SQLiteSession("a", path)) as plain:
            await (session if cleared_by == "advanced" else plain).clear_session()
            assert await session.list_branches() == []
            await talk(session, "again")
        await store.append(Log("a"), [OURS])
        logs = await contents(store)
        assert (await items_of(store))[:-1] == said("again")
        assert "alt" not in logs
        names = {record["name"] for record in await items_of(store, ":branches")}
        assert names == {"alt", "empty", "gone"}
        assert sum((await usage_of(store)).values()) == 5


async def test_usage_of_either_side_is_seen_by_the_other(path: Path) -> None:
    with theirs(path) as session:
        await talk(session, "one")
        async with store_of(path) as store:
            await store.append(Log("a"), [OURS])
            first, *_ = (await store.read(Log("a"))).positions
            for tokens in (3, 4):  # a run that grows
                record = {"run": "r", "position": first, "requests": 1, "input_tokens": tokens}
                await store.append(Log("a", ":usage"), [str(record).replace("'", '"').encode()])
            assert (await session.get_turn_usage(1))["input_tokens"] == 9
            assert await usage_of(store) == {first: 9}
            await talk(session, "two", tokens=8)
            await session.store_run_usage(result(6))  # it replaces what it had for the turn
            assert sorted((await usage_of(store)).values()) == [6, 9]
            heads = {head.log.name: head.length for head in await store.logs("a")}
            assert heads[":usage"] == 5


async def test_what_we_note_of_a_new_turn_is_noted_once(path: Path) -> None:
    with theirs(path) as session:
        async with store_of(path) as store:
            first = await store.append(Log("a"), [b'{"role":"user","content":"x"}'])
            record = {"run": "r", "position": first, "requests": 1, "input_tokens": 3}
            await store.append(Log("a", ":usage"), [encode(record)])
            assert await items_of(store, ":usage") == [record]
        assert (await session.get_turn_usage(1))["input_tokens"] == 3


async def test_rows_that_plain_pops_have_left_are_tidied_by_the_adoption(path: Path) -> None:
    with theirs(path) as session, closing(agents.SQLiteSession("a", path)) as plain:
        await talk(session, "one", "two")
        for _ in range(2):
            await plain.pop_item()
        async with store_of(path) as store:
            await store.append(Log("a"), [b'{"role":"user","content":"three"}'])
            assert (await contents(store))["main"][-1][1].endswith(b'"three"}')
        turns = await session.get_conversation_turns()
        assert [(turn["turn"], turn["content"]) for turn in turns] == [(1, "one"), (2, "three")]


async def test_a_branch_of_a_name_that_we_have_stays_its_own(path: Path) -> None:
    async with store_of(path) as store:
        await store.commit(
            "a", [Append("main", [b'{"role":"user","content":"x"}']), Append("alt", [OURS])]
        )
        with theirs(path) as session:
            await session.add_items(said("one"))
            await session.create_branch_from_turn(2, "alt")
            await talk(session, "other")
            assert [record[1] for record in (await contents(store))["alt"]] == [OURS]
            assert ":usage@alt" not in await contents(store)
            await store.append(Log("a"), [OURS])
            assert [record[1] for record in (await contents(store))["alt"]] == [OURS]
            assert len(await session.get_items(branch_id="alt")) == 3
            assert ":usage@alt" not in await contents(store)


async def test_positions_that_are_taken_are_given_anew(path: Path) -> None:
    await branched(path)
    async with store_of(path) as store:
        await store.append(Log("b", "other"), [OURS])
        taken = (await store.read(Log("a", "alt"))).positions[0]
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE turnlog_agent_messages_records SET id = ?", (taken,))
        await store.append(Log("a"), [OURS])
        assert await items_of(store, "alt") == said("one", "other")
        assert len(await items_of(store, "other", "b")) == 1


async def test_a_file_of_an_older_version_of_the_class(path: Path) -> None:
    await branched(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TABLE branch_reservations")
        db.execute("DROP TABLE session_clear_generations")
    async with store_of(path) as store:
        before = await contents(store)
        assert [record["name"] for record in await items_of(store, ":branches")] == ["alt"]
        await store.append(Log("a", "alt"), [OURS])
        after = await contents(store)
        assert after["alt"][:-1] == before["alt"]
    with theirs(path, create=False) as session:
        assert await session.get_items() == said("one", "two", "three")


async def test_sqlalchemy_refuses_such_a_file(path: Path) -> None:
    await branched(path)
    before = dump(path)
    url = f"sqlite+aiosqlite:///{path}"
    async with SQLAlchemySession.from_url("a", url=url, create_tables=True) as session:
        for act in (session.get_items, lambda: session.add_items(said("x"))):
            with pytest.raises(SchemaError, match=r"turnlog\.SQLiteSession"):
                await act()
    assert dump(path) == before
    async with SQLAlchemySession.from_url(
        "a", url=url, create_tables=True, sessions_table="s", messages_table="m"
    ) as other:
        await other.add_items(said("x"))
        assert await other.get_items() == said("x")


# Sharing


async def test_a_file_of_ours_is_shared_on_request(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await SQLiteSession("a", path).add_items(said("one", "two"))
        await store.share_with_sdk("a")
        await store.share_with_sdk("a", create=False)
        with theirs(path, create=False) as session:
            assert await session.get_items() == said("one", "two")
            assert len(await session.get_conversation_turns()) == 2
            await session.create_branch_from_turn(2, "alt")
            await talk(session, "other")
        assert await items_of(store) == said("one", "two")


async def test_a_file_that_nobody_shares_is_refused_and_left_alone(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await SQLiteSession("a", path).add_items(said("one"))
        before = dump(path)
        with pytest.raises(ValueError, match="create_tables=True"):
            await store.share_with_sdk(create=False)
        assert dump(path) == before


async def test_a_file_belongs_to_one_pair_of_tables(path: Path) -> None:
    async with SQLiteStore(path, tables=Tables("Élan", "Mine")) as store:
        await store.share_with_sdk()
        before = dump(path)
    async with SQLiteStore(path, tables=Tables("élan", "mine")) as other:
        with pytest.raises(ValueError, match="'Élan'"):
            await other.share_with_sdk()
        assert dump(path) == before
    async with SQLiteStore(path, tables=Tables("Élan", "mINE")) as same:
        await same.share_with_sdk(create=False)
    with theirs(path, sessions_table="Élan", messages_table="mine") as session:
        await talk(session, "one")


async def test_a_file_with_unclear_owners_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE message_structure (session_id, message_id)")
    async with SQLiteStore(path) as store:
        with pytest.raises(ValueError, match="nobody can tell whose"):
            await store.share_with_sdk()
        await store.append(Log("a"), [OURS])
        assert [record[1] for record in (await contents(store))["main"]] == [OURS]


# Files of ours that the class opens


@pytest.mark.parametrize("looks_first", [True, False])
async def test_its_pop_on_a_file_of_ours_takes_one_item(path: Path, *, looks_first: bool) -> None:
    async with SQLiteStore(path):
        await SQLiteSession("a", path).add_items(said("one", "two"))
        await SQLiteSession("b", path).add_items(said("three"))
    with theirs(path) as session:
        if looks_first:
            await session.get_items()
        assert await session.pop_item() == said("two")[-1]
        assert await session.get_items() == said("one", "two")[:-1]
    with theirs(path, "b", create=False) as session:
        await session.add_items(said("four"))
        assert await session.pop_item() == said("four")[-1]
        assert len(await session.get_conversation_turns()) == 2
    for name, items in (("a", said("one", "two")[:-1]), ("b", said("three", "four")[:-1])):
        assert await SQLiteSession(name, path).get_items() == items


async def test_our_store_notices_the_class_while_it_has_the_file_open(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await store.append(Log("a"), [b'{"role":"user","content":"one"}'])
        assert len(await items_of(store)) == 1
        with theirs(path) as session:
            await session.create_branch_from_turn(1, "before")
            await session.add_items(said("before"))
            assert len(await items_of(store)) == 1
            await session.switch_to_branch("main")
            await store.append(Log("a"), [OURS])
            await store.append(Log("new"), [OURS])
            await session.pop_item()
            assert len(await items_of(store)) == 1
            await session.create_branch_from_turn(1, "alt")
            await session.add_items(said("other"))
            assert len(await items_of(store)) == 1
            with theirs(path, "new") as new:
                assert len(await new.get_items()) == 1


async def test_a_file_of_an_older_version_of_ours_is_guarded_by_our_next_commit(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await store.append(Log("a"), [b'{"role":"user","content":"one"}'])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TRIGGER turnlog_agent_messages_guard")
        db.execute("DROP TABLE session_clear_generations")
    async with SQLiteStore(path) as store:
        assert len(await store.read(Log("a"))) == 1
        await store.commit("a", [Check("main", 1)])
    with theirs(path) as session:
        await session.add_items(said("two"))
        await session.pop_item()
        assert len(await session.get_items()) == 2
