"""Deep JSON: items of any nesting, and numbers that JSON has no form for."""

import json
import math
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.command_line import turnlog
from tests.fake_models import Broken, Echo
from tests.generated_json import VALUES
from tests.sample_items import user
from turnlog import Agent, InvalidItem, RunConfig, Runner, SQLiteSession
from turnlog.items.deep_json import MOST_LEVELS, read, write
from turnlog.items.json import Item, decode, decode_all, encode
from turnlog.items.tokens import estimated_tokens


def nested(levels: int, leaf: object, **fields: object) -> Item:
    """An item of so many levels, objects and lists by turns."""
    value = leaf
    for level in range(levels - 1):
        value = [value] if level % 2 else {"in": value}
    return {"role": "user", "content": value, **fields}


LEAVES = ["x", "half a pair \ud83d", 2**70, math.nan]


def lists(item: Item) -> list[object]:
    """Everything in `item` from the outside in, which `==` can't compare when it is deep."""
    found: list[object] = []
    todo: list[Any] = [item]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            found.append(list(value))
            todo += value.values()
        elif isinstance(value, list):
            found.append(len(value))
            todo += value
        else:
            found.append(value)
    return found


@pytest.mark.parametrize("leaf", LEAVES[:3])
@pytest.mark.parametrize("levels", [1, 100, 253, 254, 255, 488, 489, 986, MOST_LEVELS])
def test_items_of_up_to_a_thousand_levels_round_trip(levels: int, leaf: object) -> None:
    item = nested(levels, leaf)
    payload = encode(item)
    assert lists(decode(payload)) == lists(item)
    [back] = decode_all([payload])
    assert back is not None
    assert lists(back) == lists(item)
    assert estimated_tokens(item) > 0


@pytest.mark.anyio
@pytest.mark.parametrize("callback", [None, lambda history, new: [*history, *new]])
async def test_runs_take_them_and_try_again_with_them(callback: Any) -> None:
    session, config = SQLiteSession("s"), RunConfig(session_input_callback=callback)
    for levels in (MOST_LEVELS, MOST_LEVELS - 20):
        for model in (Broken(1), Echo()):
            with suppress(ConnectionError):
                await Runner.run(
                    Agent("A", model=model),
                    [nested(levels, "x")],
                    session=session,
                    run_config=config,
                )
    assert len(await session.get_items()) == 4


@pytest.mark.parametrize("levels", [MOST_LEVELS + 1, 5000])
def test_one_more_is_refused_with_the_bound(levels: int) -> None:
    with pytest.raises(InvalidItem, match="over 1000 levels"):
        encode(nested(levels, "x"))


def test_a_number_of_too_many_digits_is_refused_with_its_path() -> None:
    with pytest.raises(InvalidItem) as caught:
        encode({"content": [{"text": 10**5000}]})
    assert caught.value.path == "item.content[0].text"
    assert "digits" in str(caught.value)
    assert decode(encode({"a": 10**4000})) == {"a": 10**4000}


@given(VALUES)
def test_the_loops_read_and_write_what_the_standard_library_does(value: Any) -> None:
    assert json.loads(write(value, "item")) == value
    assert read(json.dumps(value)) == value
    assert read(json.dumps(value, indent=2, ensure_ascii=False)) == value


@given(st.text('{}[]",:1ea\\ \nNaultrfs-.', max_size=12))
def test_what_is_no_json_is_no_json_for_the_loop_either(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - which one, JSON decides
            read(text)
    else:
        assert repr(read(text)) == repr(expected)


KINDS = ("message", "odd", "reasoning", "function_call_output")
ODD = ["NaN", "1e400", "-Infinity"]


def _file_with(path: Path, *rows: str) -> Path:
    """A file in which the SDK has stored `rows`."""
    SQLiteSession("s", path).close()
    with sqlite3.connect(path) as file:
        file.executescript(
            "CREATE TABLE agent_sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMP "
            "DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);"
            "CREATE TABLE agent_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, "
            "message_data TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);"
            "INSERT INTO agent_sessions (session_id) VALUES ('s');"
        )
        insert = "INSERT INTO agent_messages (session_id, message_data) VALUES ('s', ?)"
        file.executemany(insert, [(row,) for row in rows])
    file.close()
    return path


@pytest.mark.anyio
@pytest.mark.parametrize("number", ODD)
async def test_a_number_that_json_lacks_breaks_no_run(tmp_path: Path, number: str) -> None:
    row = f'{{"role": "user", "content": "hi", "weight": {number}}}'
    session = SQLiteSession("s", _file_with(tmp_path / "s.db", row))
    [stored] = await session.get_items()
    assert not math.isfinite(stored["weight"])
    shown = {"role": "user", "content": "hi", "weight": None}
    assert await session.view() == [shown]
    for callback in (None, lambda history, new: [*history, *new]):
        model = Echo()
        config = RunConfig(session_input_callback=callback)
        await Runner.run(Agent("A", model=model), "now", session=session, run_config=config)
        assert model.requests[0].items[0] == shown
    assert repr((await session.get_items())[0]) == repr(stored)
    session.close()


@pytest.mark.slow
def test_show_shows_whatever_is_stored(tmp_path: Path) -> None:
    rows = [
        *(nested(n, x, type=t) for n in (2, 253, 255, 900) for x in LEAVES[:3] for t in KINDS),
        *(nested(n, x, type=t) for n in (2, 253, 500) for x in (math.nan, math.inf) for t in KINDS),
        user("the last"),
    ]
    payloads = [json.dumps(row) for row in rows]
    path = _file_with(tmp_path / "s.db", *payloads)
    status, out, err = turnlog("show", "s", "--store", path)
    assert (status, err) == (0, "")
    assert "the last" in out
    status, out, err = turnlog("show", "s", "--store", path, "--json")
    assert (status, err) == (0, "")
    shown = read(out)
    assert isinstance(shown, list)
    assert len(shown) == len(rows)
    assert "NaN" not in out
    assert "Infinity" not in out
