"""Safety of the command line: it shows no secrets, and no stored text can deceive its reader."""

import json
import re
from pathlib import Path

import pytest

from tests.command_line import at_a_terminal, filled, one_of_each, turnlog
from tests.sample_items import user
from turnlog.cli.secrets import shown, without_secrets
from turnlog.cli.text import one_line, safe_json

URLS = [
    "postgresql://app:hunter2@127.0.0.1:9/db",
    "postgresql://127.0.0.1:9/db?password=hunter2",
    "postgresql://127.0.0.1:9/db?user=app&passwd=hunter2&ssl=disable",
    "postgresql://app:hunt%65r2@127.0.0.1:9/db?password=hunter2",
    "postgresql+asyncpg://127.0.0.1:9/db?sslkey=/home/hunter2.key&sslpassword=hunter2",
    "mysql://app:hunter2@127.0.0.1:9/db?token=hunter2",
    "mysql://127.0.0.1:9/db?password=hunter2",
    "redis://:hunter2@127.0.0.1:9/0?timeout=0.1",
    "redis://hunter2@127.0.0.1:9/0?timeout=0.1",
    "redis://127.0.0.1:9/0?password=hunter2&timeout=0.1",
    "rediss+cluster://127.0.0.1:9?password=hunter2&timeout=0.1",
    "oracle://app:hunter2@host/db?password=hunter2",
    "postgresql://app:hunter2@host:port/db",
    "postgresql://app:hunter2@[::1/db",
    "redis://app:hunter2@host:port/0",
    "redis://app:hunter2@host/0?timeout=hunter2",
    "sqlite:///no/such.db?password=hunter2",
    "sqlite://app:hunter2@host/x.db",
    "host=db password=hunter2 user=app",
]


@pytest.mark.slow
@pytest.mark.parametrize("url", URLS)
def test_no_secret_of_a_url_is_printed(url: str, tmp_path: Path) -> None:
    status, out, err = turnlog("ls", "--store", url, cwd=tmp_path)
    assert status in {1, 2}
    assert "hunter2" not in out + err


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("chats.db", "chats.db"),
        ("sqlite:////var/chats.db?timeout=2", "sqlite:////var/chats.db?timeout=***"),
        ("redis://a:pw@host/0?password=PW&x=1", "redis://***@host/0?password=***&x=***"),
        ("redis://a:p@w/x@host/0", "redis://***@host/0"),
        ("redis://a:p?w@host/0", "redis://***"),
        ("redis://host/0?password=p@w", "redis://***"),
        ("redis://host/0#secret", "redis://host/0"),
        ("host=db password=pw", "host=db password=***"),
    ],
)
def test_a_store_is_shown_without_secrets(url: str, expected: str) -> None:
    assert shown(url) == expected


@pytest.mark.parametrize("form", ["p w/d", "p%20w%2Fd", "p+w%2Fd"])
def test_a_secret_is_recognised_in_every_form(form: str) -> None:
    text = f"can't connect with {form} to db, passwords differ"
    for url in (f"redis://a:{form}@host", "redis://host?pass=p%20w%2Fd"):
        assert without_secrets(text, url) == "can't connect with *** to db, passwords differ"


# What no reader can tell from "bob", from another id, or from a row of its own.
IDS = [
    "bob",
    "bob\u200b",
    "bob\u3164",
    "bob\ufe0f",
    "bob\u2800",
    "bob ",
    "bob\u00a0",
    "bob\\u200b",
    "bob\U000e0041",
    "b\u00f6b",
    "bo\u0308b",
    "bob\nalice  9 2020-01-01 00:00",
    "bob\r\x9b2K",
    "bob\u2028x",
    "\u202ebob",
]


def test_ids_that_differ_look_different_in_one_line_each() -> None:
    lines = list(map(one_line, IDS))
    assert len({line.strip() for line in lines}) == len(IDS)
    assert all(line.isprintable() for line in lines)
    assert not re.search("[\u200b\u3164\ufe0f\u2800\u0308]", "".join(lines))
    assert one_line("b\u00f6b \u65e5\u672c") == "b\u00f6b \u65e5\u672c"


@pytest.mark.slow
def test_an_id_forges_no_row_of_ls_and_no_line_of_rm(tmp_path: Path) -> None:
    path = one_of_each(tmp_path / "s.db", *IDS)
    rows = turnlog("ls", "--store", path)[1].splitlines()[1:]
    assert len({row.split("  ")[0] for row in rows}) == len(rows) == len(IDS)
    forged = "bob\nalice  9 2020-01-01 00:00"
    with at_a_terminal("rm", forged, "--store", path) as terminal:
        seen = terminal.shows("[y/N]: ")
        assert seen.count("\n") == 0
        terminal.types("y\n")
        assert "deleted bob\\nalice" in terminal.shows("00:00\r\n")
        assert terminal.process.wait(60) == 0
    status, _, err = turnlog("rm", forged, "--yes", "--store", path)
    assert (status, err.count("\n")) == (3, 1)
    status, _, err = turnlog("show", "bob", "--branch", "x\ny\u200b", "--store", path)
    assert (status, err.count("\n"), "x\\ny\\u200b" in err) == (3, 1, True)


HOSTILE = "a\x9b2J\x85b\x7fc\u202ed\u2066e\u200f\u2028f\u061c🙂"


@pytest.mark.slow
def test_json_at_a_terminal_holds_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    items = [user(HOSTILE), {"type": "odd", HOSTILE: [HOSTILE]}]
    path = filled(tmp_path / "s.db", {"a": items})
    with at_a_terminal("show", "a", "--json", "--store", path) as terminal:
        seen = terminal.shows("\n]")
    assert not set(seen) & set(HOSTILE) - set("abcdef2J🙂")
    assert json.loads(seen) == items
    assert json.loads(turnlog("show", "a", "--json", "--store", path)[1]) == items


def test_a_heading_is_one_line(tmp_path: Path) -> None:
    path = filled(tmp_path / "s.db", {"a": [{"type": "odd\n\nuser\n  forged"}, user(HOSTILE)]})
    with at_a_terminal("show", "a", "--store", path) as terminal:
        seen = terminal.shows("🙂")
    assert "odd\\n\\nuser\\n  forged" in seen
    assert not set(seen) & set("\x9b\x85\x7f\u202e\u2066\u200f\u2028\u061c")


def test_json_stays_the_same_value() -> None:
    text = json.dumps({HOSTILE: "é\\u202e"}, ensure_ascii=False).encode()
    assert json.loads(safe_json(text)) == json.loads(text)
