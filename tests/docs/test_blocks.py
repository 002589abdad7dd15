"""Each block of code on each page has a form, and its commands exist."""

import re
import shlex
import shutil
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests import ROOT
from tests.docs.blocks import (
    CELL,
    FILE,
    PAGES,
    PRINTS,
    Block,
    blocks,
    blocks_on,
    commands_on,
    files_on,
    printing_on,
)
from turnlog.cli.app import app

#: Kinds of blocks that hold no program of ours.
OTHERS = {"dockerfile", "ini", "json", "nginx", "sql", "text", "toml", "yaml"}

#: Programs of the system that pages may call.
OF_THE_SYSTEM = {"curl", "make", "python", "touch"}

NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
WITH_COMMANDS = [name for name in NAMES if commands_on(name)]


def test_every_block_has_a_form() -> None:
    others = [f"{each.page}:{each.line}: {each.kind!r}" for each in blocks() if not has_form(each)]
    assert others == []


def has_form(block: Block) -> bool:
    plain = {"python", "py", "sh", PRINTS} | OTHERS
    titled = FILE.fullmatch(block.kind) or CELL.fullmatch(block.kind)
    return bool(block.fragment or block.kind in plain or titled)


def test_every_printed_output_stands_behind_a_block_whose_output_is_compared() -> None:
    outputs = [block for block in blocks() if block.kind == PRINTS]
    compared = [said for page in PAGES for code, said in printing_on(page) if is_compared(code)]
    assert compared == outputs


def is_compared(block: Block) -> bool:
    return block.kind == "python" or CELL.fullmatch(block.kind) is not None


def test_no_block_is_missed() -> None:
    for page in PAGES:
        fences = re.findall(r"^\s*```", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(fences) == 2 * len(blocks_on(page)), page.name


def test_no_python_hides_in_a_block_of_another_kind() -> None:
    code = re.compile(
        r"^(?:from \S+ import|import \w+$|async with |await |def \w+\()", re.MULTILINE
    )
    hidden = [
        f"{block.page}:{block.line}"
        for block in blocks()
        if block.kind in OTHERS and not block.fragment and code.search(block.code)
    ]
    assert hidden == []


def cells_on(name: str) -> list[Block]:
    return [block for block in blocks_on(ROOT / name) if CELL.fullmatch(block.kind)]


@pytest.mark.parametrize("name", [name for name in NAMES if files_on(name) or cells_on(name)])
def test_a_page_with_files_or_cells_has_a_test_of_its_own(name: str) -> None:
    inside = Path(name).relative_to("docs")
    test = ROOT / "tests" / "docs" / inside.parent / f"test_{inside.stem.replace('-', '_')}.py"
    assert f"{inside.stem}" in test.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_commands_on_the_page_exist(page: str) -> None:
    for command in commands_on(page):
        words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
        check = {"turnlog": check_turnlog, "make": check_make, "pip": check_pip}
        if words[0] in check:
            check[words[0]](words)
        elif words[0] == "python":
            assert words[1] in files_on(page), command
        elif "/" not in words[0]:
            assert words[0] in OF_THE_SYSTEM or in_our_environment(words[0]), command
        else:
            assert in_our_environment(Path(words[0]).name), command


def in_our_environment(program: str) -> bool:
    return shutil.which(program, path=Path(sys.executable).parent) is not None


def check_turnlog(words: list[str]) -> None:
    """The command and its options are in the help."""
    helped = help_of(words[1])
    for option in [word for word in words if word.startswith("--")]:
        assert re.search(rf"{option}\b", helped), words


@cache
def help_of(command: str) -> str:
    done = CliRunner().invoke(app, [command, "--help"], color=False)
    assert done.exit_code == 0, command
    return re.sub(r"\x1b\[[0-9;]*m", "", done.output)


def check_make(words: list[str]) -> None:
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in [word for word in words[1:] if "=" not in word]:
        assert re.search(rf"^{target}:", targets, re.MULTILINE), words


def check_pip(words: list[str]) -> None:
    """Our extras exist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words:
        named = re.fullmatch(r"(?:turnlog|\.|\S*\.whl)\[([\w,]+)\]", word)
        if named:
            assert set(named[1].split(",")) <= set(project["optional-dependencies"]), words
