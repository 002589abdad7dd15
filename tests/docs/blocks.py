"""The blocks of code on the pages, and the forms that they have.

| after the backticks | the block |
|---|---|
| `python` | is a program that is run as it is printed |
| `python title="app.py"` | is a file of a program that the page's own test runs |
| `py title="In [1]"` | is a cell of a notebook that the page's own test runs |
| `py` | is a part of a program; `examples.py` says what it needs to run |
| `sh` | has commands that exist |
| `text title="prints"` | is what the program or the cell before it prints |
| `text`, `json`, … | is no program of ours |

What can't be run stands behind a comment that says why: `<!-- fragment: needs a … -->`.
"""

import re
import textwrap
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests import ROOT

__all__ = [
    "CELL",
    "FILE",
    "PAGES",
    "PRINTS",
    "Block",
    "blocks",
    "blocks_on",
    "commands_on",
    "files_on",
    "printing_on",
]

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: What stands after the backticks of a file.
FILE = re.compile(r'python title="([\w/]+\.py)"')

#: What stands after the backticks of a cell of a notebook.
CELL = re.compile(r'py title="In \[\d+\]"')

#: What stands after the backticks of an output.
PRINTS = 'text title="prints"'


@dataclass(frozen=True)
class Block:
    """A block of code on a page.

    page: its path below the root. line: its number. kind: what stands behind the backticks.
    fragment: why it isn't run; "" if it is.
    """

    page: str
    line: int
    kind: str
    code: str
    fragment: str = ""


_BLOCK = re.compile(
    r"^(?:<!-- fragment: (?P<why>[^\n]+) -->\n+)?"
    r"(?P<indent> *)```(?P<kind>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


def blocks_on(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    text, name = page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix()
    return [
        Block(
            name,
            text.count("\n", 0, found.start("code")),
            found["kind"],
            textwrap.dedent(found["code"]),
            found["why"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


def blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in PAGES for block in blocks_on(page)]


def files_on(page: str) -> dict[str, str]:
    """The files that a page prints, by the names that stand as their titles."""
    titled = [(FILE.fullmatch(block.kind), block.code) for block in blocks_on(ROOT / page)]
    return {found[1]: code for found, code in titled if found}


def printing_on(page: Path) -> list[tuple[Block, Block]]:
    """The programs and cells of a page that have their output printed, with the output."""
    return [(code, said) for code, said in pairwise(blocks_on(page)) if said.kind == PRINTS]


def commands_on(page: str) -> list[str]:
    """The commands of the shell that a page prints, each a line, without remarks."""
    lines = [
        line
        for block in blocks_on(ROOT / page)
        if block.kind == "sh"
        for line in block.code.splitlines()
    ]
    bare = [re.sub(r"(^|\s+)# .*", "", line).strip() for line in lines]
    return [line for line in bare if line]
