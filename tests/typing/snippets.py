"""Printed snippets, as files that type checkers can read: those of the pages and of docstrings."""

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import ROOT
from tests.docs.blocks import CELL, FILE, PAGES, blocks_on
from tests.docs.examples import PARTS
from tests.typing.surroundings import AROUND_DOCSTRINGS, AROUND_PARTS

__all__ = ["Snippet", "of_docstrings", "of_page", "snippets"]

#: A part may await as a notebook does, and one of many may define the same names.
_PROLOGUE = "from typing import Any\nasync def part() -> Any:"


@dataclass(frozen=True)
class Snippet:
    """A printed program, or a printed part of one.

    page, line: where it is printed: the file, and the line on which its code begins.
    before, after: the code around a part; before is None for a whole program.
    file: the name by which another snippet imports it, if one does.
    """

    page: Path
    line: int
    code: str
    before: str | None = None
    after: str = ""
    file: str | None = None

    @property
    def name(self) -> str:
        """The name of the file in which it is checked."""
        page = re.sub(r"\W", "_", self.page.relative_to(ROOT).as_posix())
        return self.file or f"snippet_{page}_{self.line}.py"

    @property
    def text(self) -> str:
        """The text of that file."""
        if self.before is None:
            return self.code
        around = (self.before, self.code, self.after)
        return "\n".join([_PROLOGUE, *map(_indented, around)]) + "\n"

    @property
    def is_of_readme_or_docstring(self) -> bool:
        """Whether it is among those that pyright checks in its strict mode."""
        return self.page.name == "README.md" or self.page.suffix == ".py"

    @property
    def is_untyped(self) -> bool:
        """Whether its page is about a framework that says nothing of its types."""
        page = self.page.read_text(encoding="utf-8")
        return re.search(r"^(from|import) (celery|django)\b", page, re.MULTILINE) is not None

    def printed_line(self, line: int) -> int | None:
        """The line of the page on which that line of the file is printed; None if it isn't."""
        above = 0 if self.before is None else 2 + len(_indented(self.before).split("\n"))
        is_printed = 0 < line - above <= len(_indented(self.code).split("\n"))
        return self.line + line - above - 1 if is_printed else None


def _indented(code: str) -> str:
    return textwrap.indent(code.strip("\n"), "    ") or "    ..."


def snippets() -> Iterator[Snippet]:
    """All of them."""
    for page in PAGES:
        yield from of_page(page)
    for module in sorted((ROOT / "src").rglob("*.py")):
        yield from of_docstrings(module)


def of_page(page: Path) -> Iterator[Snippet]:
    """The snippets of a page, apart from fragments, which stand beside a reason."""
    parts = 0
    cells: list[str] = []  # a cell knows the names of those above it
    for block in blocks_on(page):
        file = FILE.fullmatch(block.kind)
        if block.fragment:
            continue
        if file or block.kind == "python":
            yield Snippet(page, block.line + 1, block.code, file=file[1] if file else None)
        elif block.kind == "py":
            parts += 1
            before, after = _around(f"{block.page} {parts}")
            yield Snippet(page, block.line + 1, block.code, before, after)
        elif CELL.fullmatch(block.kind):
            yield Snippet(page, block.line + 1, block.code, "\n".join(cells))
            cells.append(block.code)


def _around(name: str) -> tuple[str, str]:
    part = PARTS.get(name)
    return (AROUND_PARTS.get(name, ""), "") if part is None else (part.before, part.after)


def of_docstrings(module: Path) -> Iterator[Snippet]:
    """The examples in the docstrings of a module: indented blocks that are Python code."""
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _of_docstring(module, node)


def _of_docstring(
    module: Path, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[Snippet]:
    text = ast.get_docstring(node)
    if text is None:
        return
    first = node.body[0].lineno
    name = f"{module.stem}.{getattr(node, 'name', '')}".strip(".")
    for found in re.finditer(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+", f"\n\n{text}\n"):
        code = textwrap.dedent(found[0])
        if _is_code(code):
            line = first + f"\n\n{text}".count("\n", 0, found.start()) - 2
            yield Snippet(module, line, code, AROUND_DOCSTRINGS.get(name, ""))


def _is_code(block: str) -> bool:
    """Whether a block of a docstring is Python code, and not a list or a drawing."""
    try:
        tree = ast.parse(block)
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Call | ast.Import | ast.FunctionDef) for node in ast.walk(tree))
