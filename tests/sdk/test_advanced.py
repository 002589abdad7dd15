"""`AdvancedSQLiteSession`, the SDK's and ours: the same calls give the same results.

Each scenario is run on both, and what it has noted is compared, step by step. Where ours
differs on purpose, a test of its own says so.
"""

import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import agents.extensions.memory
import pytest
from agents import Agent, Runner, function_tool, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message, function_call
from agents.usage import Usage
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

import turnlog
from tests.sample_items import answer, call, output, user

pytestmark = pytest.mark.anyio

Make = Callable[..., Any]
Note = Callable[[Awaitable[object]], Awaitable[Any]]
Scenario = Callable[[Make, Note], Awaitable[None]]

TALK = [user("Where is Oslo?"), answer("In Norway."), user("And Ålesund?"), answer("There too.")]


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Make]]:
    """Makes sessions of the SDK's class, or of ours, on a database of its own."""
    made: list[Any] = []
    kinds = {
        "sdk": agents.extensions.memory.AdvancedSQLiteSession,
        "ours": turnlog.AdvancedSQLiteSession,
    }

    def maker(kind: str) -> Make:
        path = tmp_path / f"{kind}.db" if request.param == "file" else ":memory:"

        def make(session_id: str = "user") -> Any:
            made.append(kinds[kind](session_id=session_id, db_path=path, create_tables=True))
            return made[-1]

        return make

    yield maker
    for session in made:
        session.close()


async def notes(scenario: Scenario, make: Make) -> list[object]:
    """What each step of the scenario gives: its result, or its error."""
    noted: list[object] = []

    async def note(step: Awaitable[object]) -> Any:
        try:
            result = await step
        except Exception as error:  # noqa: BLE001 - whatever it is, both must raise it
            noted.append(("error", isinstance(error, ValueError), core(str(error))))
            return None
        noted.append(plain(result))
        return result

    await scenario(make, note)
    return noted


def core(message: str) -> str:
    """The substance of an error: its first clause, without a search term."""
    message = re.sub(r"(containing) .*", r"\1", message)
    return re.split(r"\. |: | (?:in|of) session ", message)[0].strip(".")


def plain(result: object) -> object:
    """`result` in what both classes promise.

    Times, and names made of times, are told by their form only. Branches of the same second come
    in any order in the SDK's list. Of the details of usage, those that the provider did not
    give are None there, and left out here.
    """
    if isinstance(result, dict):
        details = {"input_tokens_details", "output_tokens_details"}
        return {
            name: given(value) if name in details else plain(value)
            for name, value in result.items()
        }
    if isinstance(result, list):
        listed = [plain(value) for value in result]
        return sorted(listed, key=str) if "'branch_id'" in str(listed) else listed
    if isinstance(result, str):
        result = re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", "TIME", result)
        return re.sub(r"^(branch_from_turn_\d+)_\d{10}", r"\1_TIME", result)
    return result


def given(details: dict[str, Any] | None) -> object:
    return {name: value for name, value in (details or {}).items() if value is not None} or None


def spent(tokens: int, *, details: bool = True) -> Any:
    """A result of the SDK's Runner, as far as `store_run_usage` looks."""
    usage = Usage(requests=1, input_tokens=tokens, output_tokens=2, total_tokens=tokens + 2)
    if details:
        usage.input_tokens_details = InputTokensDetails.model_construct(cached_tokens=1)
        usage.output_tokens_details = OutputTokensDetails(reasoning_tokens=1)
    else:
        usage.input_tokens_details = None  # type: ignore[assignment] # as some providers give it
        usage.output_tokens_details = OutputTokensDetails(reasoning_tokens=2)
    return SimpleNamespace(context_wrapper=SimpleNamespace(usage=usage))


async def reading(make: Make, note: Note) -> None:
    session = make()
    for branch in (None, "main", "", "nowhere"):
        await tell(session, note, branch)
    await session.add_items([{"role": "developer", "content": "Be brief."}])
    await session.add_items(TALK)
    for branch in (None, "main", "nowhere"):
        await tell(session, note, branch)
    for limit in (0, 1, 3, 99, -1, None):
        await note(session.get_items(limit))
        await note(session.get_items(limit, branch_id="main"))
        await note(session.get_items(limit, "nowhere"))


async def tell(session: Any, note: Note, branch: str | None = None) -> None:
    """All that the session tells of a branch."""
    await note(session.list_branches())
    await note(session.get_items(branch_id=branch))
    await note(session.get_conversation_turns(branch))
    await note(session.get_conversation_by_turns(branch))
    await note(session.get_tool_usage(branch))
    await note(session.get_turn_usage(branch_id=branch))
    if branch != "":
        await note(session.get_session_usage(branch))


async def branching(make: Make, note: Note) -> None:
    session = make()
    await note(session.create_branch_from_turn(1))
    await session.add_items(TALK)
    for wrong in (0, 3):
        await note(session.create_branch_from_turn(wrong))
    for name in ("", "  ", "main"):
        await note(session.create_branch_from_turn(2, name))
    await note(session.create_branch_from_turn(2, "try"))
    await tell(session, note)
    await session.add_items([user("And Bergen?"), answer("Yes.")])
    await tell(session, note)
    await tell(session, note, "main")
    await note(session.create_branch_from_turn(2, "try"))
    await note(session.create_branch_from_turn(2))
    await note(session.create_branch_from_turn(2))
    await note(session.create_branch_from_turn(1))
    for name in ("try", "main", "nowhere", ""):
        await note(session.switch_to_branch(name))
        await note(session.get_items())
    await tell(make() if session.db_path != ":memory:" else session, note, "try")


async def an_empty_branch(make: Make, note: Note) -> None:
    session = make()
    await session.add_items(TALK)
    await note(session.create_branch_from_turn(1, "anew"))
    await tell(session, note)
    await note(session.switch_to_branch("anew"))
    await note(session.delete_branch("anew"))
    await note(session.delete_branch("anew", force=True))
    await note(session.create_branch_from_turn(1, "further"))
    await note(session.pop_item())
    await session.add_items([user("anew")])
    await tell(session, note)
    await note(session.switch_to_branch("main"))
    await note(session.switch_to_branch("anew"))
    await note(session.create_branch_from_turn(1, "anew"))


async def deleting(make: Make, note: Note) -> None:
    session = make()
    await session.add_items(TALK)
    await note(session.create_branch_from_turn(2, "try"))
    await session.add_items([user("there")])
    for name, force in (("", False), (" ", True), ("main", True), ("try", False), ("no", True)):
        await note(session.delete_branch(name, force))
    await note(session.delete_branch("try", force=True))
    await tell(session, note)
    await note(session.delete_branch("try"))
    await note(session.create_branch_from_turn(2, "try"))
    await note(session.create_branch_from_turn(2, "other"))
    await note(session.switch_to_branch("main"))
    await note(session.delete_branch("other"))
    await tell(session, note)


async def searching(make: Make, note: Note) -> None:
    session = make()
    long = "Is this a long question? " * 10
    parts = [
        {"type": "input_text", "text": "What is THIS?"},
        {"type": "input_image", "file_id": "f"},
    ]
    await session.add_items([*TALK, user(long), {"role": "user", "content": parts}])
    await session.add_items([user("100% of_it"), user(""), {"role": "user", "content": []}])
    for term in (
        "oslo",
        "OSLO",
        "this",
        "norway",
        "file_id",
        "%",
        "_it",
        "0% o",
        "question? is",
        "",
    ):
        await note(session.find_turns_by_content(term))
    await note(session.find_turns_by_content("oslo", "nowhere"))
    await note(session.get_conversation_turns())
    await note(session.create_branch_from_content("nothing of it"))
    await note(session.create_branch_from_content("and", "found"))
    await tell(session, note)
    await note(session.create_branch_from_content("oslo", "found"))
    await note(session.create_branch_from_content("oslo", " "))


async def tools(make: Make, note: Note) -> None:
    session = make()
    kinds = (
        "computer_call file_search_call web_search_call code_interpreter_call shell_call "
        "apply_patch_call tool_search_call tool_search_output image_generation_call "
        "local_shell_call mcp_list_tools program reasoning tool_call"
    )
    await session.add_items([call(), output()])
    await session.add_items([user("q"), call(), call(number=2), call("other", 3), output()])
    await session.add_items([user("q"), *({"type": kind} for kind in kinds.split())])
    await session.add_items(
        [user("q"), {"type": "tool_search_output"}, {"type": "tool_search_output"}]
    )
    named = [
        {"type": "mcp_call", "server_label": "s", "name": "n"},
        {"type": "mcp_call", "server_label": "s"},
        {"type": "mcp_call", "server_label": "", "name": "n"},
        {"type": "mcp_approval_request", "name": "n"},
        {"type": "custom_tool_call", "name": "n", "namespace": "space"},
        {"type": "function_call", "name": "n", "namespace": "n"},
        {"type": "function_call", "name": "n", "namespace": None},
        {"type": "function_call"},
        {"role": "system", "content": "x"},
        {"role": "assistant", "content": "x", "name": "Bob"},
        {},
    ]
    await session.add_items([user("q"), *named])
    await tell(session, note)


async def accounting(make: Make, note: Note) -> None:
    session = make()
    await note(session.store_run_usage(spent(1)))
    await tell(session, note)
    await session.add_items(TALK[:2])
    await note(session.store_run_usage(spent(10)))
    await session.add_items(TALK[2:])
    await note(session.store_run_usage(spent(20, details=False)))
    await tell(session, note)
    for turn in (0, 1, 2, 3):
        await note(session.get_turn_usage(turn))
        await note(session.get_turn_usage(turn, "nowhere"))
    for wrong in (None, "result", SimpleNamespace(context_wrapper=None)):
        await note(session.store_run_usage(wrong))
    await session.pop_item()
    await tell(session, note)
    await session.pop_item()
    await tell(session, note)
    await session.add_items([user("again")])
    await tell(session, note)
    await note(session.store_run_usage(spent(30)))
    await tell(session, note)
    await note(session.clear_session())
    await tell(session, note)
    await note(session.store_run_usage(spent(40)))
    await session.add_items(TALK)
    await tell(session, note)


async def usage_before_a_question(make: Make, note: Note) -> None:
    session = make()
    await session.add_items([answer("Hello, how can I help?")])
    await note(session.store_run_usage(spent(10)))
    await tell(session, note)
    await note(session.get_turn_usage(0))


async def popping_and_clearing(make: Make, note: Note) -> None:
    session = make()
    await note(session.pop_item())
    await session.add_items(TALK)
    await note(session.create_branch_from_turn(2, "try"))
    await session.add_items([user("there")])
    for _ in range(4):
        await note(session.pop_item())
    await tell(session, note)
    await tell(session, note, "main")
    await session.add_items([user("once more")])
    await note(session.clear_session())
    await tell(session, note)
    await note(session.create_branch_from_turn(1, "try"))
    await session.add_items(TALK)
    await tell(session, note)
    await note(session.create_branch_from_turn(1, "try"))
    await note(session.switch_to_branch("try"))


async def as_in_the_example(make: Make, note: Note) -> None:
    """With the SDK's Runner, a tool, and the calls of the example that it ships."""

    @function_tool
    def weather(city: str) -> str:
        return f"Sunny in {city}"

    set_tracing_disabled(disabled=True)
    model, session = ScriptedModel(), make()
    agent = Agent("Assistant", model=model, tools=[weather])

    async def ask(text: str, *steps: Any) -> None:
        model.extend(steps)
        result = await Runner.run(agent, text, session=session)
        await note(session.store_run_usage(result))

    await ask("What city is the bridge in?", [assistant_message("San Francisco")])
    arguments = '{"city": "San Francisco"}'
    call = function_call("weather", arguments, call_id="c1")
    await ask("What's the weather there?", [call], [assistant_message("Sunny.")])
    await ask("Thanks", [assistant_message("You're welcome")])
    await note(session.get_session_usage())
    await note(session.get_turn_usage())
    await note(session.get_tool_usage())
    await note(session.get_conversation_by_turns())
    await note(session.get_conversation_turns())
    branch = await note(session.create_branch_from_turn(2))
    await ask("What's the history of it?", [assistant_message("Long.")])
    await note(session.list_branches())
    await note(session.get_conversation_turns())
    await note(session.switch_to_branch("main"))
    await note(session.get_session_usage("main"))
    await note(session.get_conversation_turns(branch))
    await note(session.switch_to_branch(branch))
    await note(session.get_items(2))


SCENARIOS: list[Scenario] = [
    reading,
    branching,
    an_empty_branch,
    deleting,
    searching,
    tools,
    accounting,
    usage_before_a_question,
    popping_and_clearing,
    as_in_the_example,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_the_same_calls_give_the_same_results(
    scenario: Scenario, place: Callable[[str], Make]
) -> None:
    theirs = await notes(scenario, place("sdk"))
    ours = await notes(scenario, place("ours"))
    for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
        assert other == one, f"step {number}"


# Where ours differs on purpose: docs/sdk.md has the list.


@pytest.fixture
def ours(place: Callable[[str], Make]) -> Any:
    return place("ours")()


async def test_a_fork_keeps_times_and_usage(ours: Any) -> None:
    await ours.add_items(TALK)
    asked = await ours.get_conversation_turns()
    await ours.create_branch_from_turn(2, "empty of usage")
    await ours.switch_to_branch("main")
    await ours.store_run_usage(spent(10))
    await ours.add_items([user("third")])
    await ours.create_branch_from_turn(3, "try")
    assert await ours.get_conversation_turns() == asked
    assert (await ours.get_turn_usage(2))["input_tokens"] == 10
    usage = await ours.get_session_usage()
    assert (usage["input_tokens"], usage["total_turns"]) == (10, 1)


async def test_the_runs_of_a_turn_add_up_and_one_result_counts_once(ours: Any) -> None:
    await ours.add_items(TALK)
    first = spent(10)
    for result in (first, first, spent(5)):
        await ours.store_run_usage(result)
    assert (await ours.get_turn_usage(2))["input_tokens"] == 15


async def test_other_letters_than_ascii_are_found(ours: Any) -> None:
    await ours.add_items(TALK)
    assert len(await ours.find_turns_by_content("Ålesund")) == 1


async def test_contents_without_text_are_no_error(ours: Any) -> None:
    await ours.add_items([{"role": "user"}, {"role": "user", "content": None}], strict=False)
    assert await ours.find_turns_by_content("x") == []
    assert len(await ours.get_conversation_turns()) == 2


async def test_an_empty_name_is_a_branch_that_does_not_exist(ours: Any) -> None:
    await ours.add_items(TALK)
    await ours.store_run_usage(spent(10))
    assert await ours.get_session_usage("") is None


async def test_main_is_always_there(ours: Any) -> None:
    await ours.add_items(TALK[:1])
    await ours.create_branch_from_turn(1, "try")
    await ours.add_items(TALK[:1])
    await ours.switch_to_branch("main")
    await ours.pop_item()
    await ours.switch_to_branch("try")
    await ours.delete_branch("try", force=True)
    assert await ours.get_items() == []


# The constructor


def test_the_forms_of_the_constructor(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    options: dict[str, Any] = {
        "sessions_table": "s",
        "messages_table": "m",
        "session_settings": {"limit": 3},
    }
    for session in (
        turnlog.AdvancedSQLiteSession("user", path, options),
        turnlog.AdvancedSQLiteSession(
            session_id="user", db_path=path, create_tables=True, logger=None, **options
        ),
        turnlog.AdvancedSQLiteSession(
            "user", path, {**options, "messages_table": "x"}, messages_table="m"
        ),
    ):
        assert (session.sessions_table, session.messages_table) == ("s", "m")
        assert session.session_settings.limit == 3
        session.close()
    with pytest.raises(TypeError, match="no option table"):
        turnlog.AdvancedSQLiteSession("user", path, {"table": "x"})


@pytest.mark.parametrize("place", [":memory:", "c.db"])
def test_without_a_database_it_has_to_be_made(place: str, tmp_path: Path) -> None:
    kinds = (agents.extensions.memory.AdvancedSQLiteSession, turnlog.AdvancedSQLiteSession)
    for number, kind in enumerate(kinds):
        where = place if place == ":memory:" else tmp_path / f"{number}{place}"
        with pytest.raises(ValueError, match="create_tables=True"):
            kind(session_id="user", db_path=where, create_tables=False)
    with pytest.raises(ValueError, match="create_tables=True"):
        turnlog.AdvancedSQLiteSession("user", where, {"create_tables": False})


async def test_create_tables_makes_a_file_that_the_class_of_the_sdk_can_use(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    ours = turnlog.AdvancedSQLiteSession(session_id="user", db_path=path, create_tables=True)
    assert not path.exists()
    await ours.add_items([user("one"), answer("eins")])
    await ours.add_items([user("two")])
    theirs = agents.extensions.memory.AdvancedSQLiteSession(session_id="user", db_path=path)
    turns = await theirs.get_conversation_turns()
    assert [turn["content"] for turn in turns] == ["one", "two"]
    await theirs.pop_item()
    assert await ours.get_items() == [user("one"), answer("eins")]
    theirs.close()
    expecting = turnlog.AdvancedSQLiteSession("user", path, create_tables=False)
    assert await expecting.get_items() == [user("one"), answer("eins")]


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("kind", ["theirs", "ours"])
async def test_one_file_belongs_to_one_pair_of_tables(
    tmp_path: Path, kind: str, create: bool
) -> None:
    path = tmp_path / "c.db"
    kinds: dict[str, Callable[..., Any]] = {
        "theirs": agents.extensions.memory.AdvancedSQLiteSession,
        "ours": turnlog.AdvancedSQLiteSession,
    }
    first = kinds[kind](session_id="user", db_path=path, create_tables=True)
    await first.add_items([user("one")])
    names: dict[str, Any] = {"sessions_table": "other_s", "messages_table": "other_m"}
    for other in kinds.values() if create else [kinds["ours"]]:
        with pytest.raises(ValueError, match="agent_sessions"):
            other(session_id="user", db_path=path, create_tables=create, **names)
    first.close()
    with closing(sqlite3.connect(path)) as db:
        made = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    assert not {name for name in made if "other_" in name}


async def test_tables_may_be_quoted_and_differ_in_case(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    names: dict[str, Any] = {"sessions_table": '"Sessions"', "messages_table": "Messages"}
    theirs: Any = agents.extensions.memory.AdvancedSQLiteSession(
        session_id="user", db_path=path, create_tables=True, **names
    )
    await theirs.add_items([user("one")])
    theirs.close()
    folded = {name: value.upper() for name, value in names.items()}
    for chosen in (names, folded):
        ours = turnlog.AdvancedSQLiteSession("user", path, create_tables=False, **chosen)
        assert await ours.get_items() == [user("one")]
        ours.close()


def test_it_is_where_the_sdk_has_it() -> None:
    from turnlog.extensions import memory  # noqa: PLC0415 - the path is what is tested

    assert memory.AdvancedSQLiteSession is turnlog.AdvancedSQLiteSession
