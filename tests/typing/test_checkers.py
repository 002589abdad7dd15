"""The check of printed snippets finds what is wrong in them, where it is printed."""

from pathlib import Path

import pytest

from tests import ROOT
from tests.typing.checkers import CACHE, problems_in, written
from tests.typing.snippets import Snippet, of_docstrings, of_page, snippets

PART = Snippet(
    ROOT / "docs" / "sdk.md",
    100,
    """\
agent = Agent("Assistant")
items = [
    each.data for each in events
]
result = await Runner.run(agent, 3)
import litellm
""",
    before="from turnlog import Agent, Runner, StreamEvent\nevents: list[StreamEvent]\nx: int = ''",
    after="y: int = ''",
)
PROGRAM = Snippet(ROOT / "docs" / "runs.md", 7, "import turnlog\n\nturnlog.SQLitSession\n")


@pytest.mark.slow
def test_each_checker_names_the_printed_line() -> None:
    folder = CACHE / "wrong"
    problems = problems_in(written([PART, PROGRAM], folder), folder)
    found = {(each.file.name, each.line, str(each).split()[-1]) for each in problems}
    wrong = [("sdk.md", 102), ("sdk.md", 104), ("runs.md", 9)]
    assert found == {(*place, checker) for place in wrong for checker in ("(mypy)", "pyright)")}


def test_the_files_are_those_that_are_printed_now(tmp_path: Path) -> None:
    written([PROGRAM], tmp_path)
    [file] = written([PART], tmp_path)
    assert [*tmp_path.rglob("*.py")] == [file]
    kept = file.stat().st_mtime_ns
    written([PART], tmp_path)
    assert file.stat().st_mtime_ns == kept


def test_pages_may_print_files_of_one_name(tmp_path: Path) -> None:
    pages = [ROOT / "docs" / name for name in ("sdk.md", "runs.md", "why.md")]
    printed = [Snippet(page, 1, f"x = {page.name!r}\n", file="app.py") for page in pages[:2]]
    alone = Snippet(pages[2], 1, "x = 1\n", file="chat/store.py")
    files = written([*printed, alone], tmp_path)
    assert [snippet.code for snippet in files.values()] == [each.code for each in [*printed, alone]]
    assert files[tmp_path / "set0" / "chat" / "store.py"] == alone


def test_a_part_is_known_by_its_lines() -> None:
    lines = PART.text.splitlines()
    printed = [PART.printed_line(number) for number in range(1, len(lines) + 1)]
    assert printed == [None] * 5 + [*range(100, 106)] + [None]


def test_every_block_of_code_is_collected() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len([*of_page(ROOT / "README.md")]) == readme.count("```py")
    for snippet in of_page(ROOT / "README.md"):
        assert readme.splitlines()[snippet.line - 1] == snippet.code.splitlines()[0]


def test_examples_in_docstrings_are_collected() -> None:
    module = ROOT / "src" / "turnlog" / "conversation" / "turn_blocks.py"
    [snippet] = of_docstrings(module)
    line = module.read_text(encoding="utf-8").splitlines()[snippet.line - 1]
    assert line.strip() == 'async with session.turn("What\'s my name?") as turn:'
    assert not [*of_docstrings(ROOT / "src" / "turnlog" / "errors" / "__init__.py")]  # a drawing


def test_no_two_snippets_have_one_file() -> None:
    found = [*snippets()]
    assert len(found) == len({(snippet.page, snippet.name) for snippet in found})


def test_a_cell_knows_the_names_of_those_above_it() -> None:
    first, *_, last = of_page(ROOT / "docs" / "guides" / "jupyter.md")
    assert first.before == ""
    assert first.code in (last.before or "")
