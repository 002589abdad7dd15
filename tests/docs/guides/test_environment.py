"""The guide to environment variables names each that the source reads."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

SOURCE = ROOT / "src" / "turnlog"


def variables_in(code: str) -> Iterator[str | None]:
    """The names of the environment variables that a module reads; None for each unknown one."""
    tree = ast.parse(code)
    names = dict(texts_named_in(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "envvar":
            yield text_of(node.value, names)
    uses = [text_of(used, names) for node in ast.walk(tree) for used in used_by(node)]
    yield from uses
    reads = sum(name_of(node) in {"environ", "getenv"} for node in ast.walk(tree))
    yield from [None] * (reads - len(uses))


def used_by(node: ast.AST) -> list[ast.expr]:
    """The name in `environ.get(name)`, `getenv(name)`, `environ[name]`, `name in environ`."""
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr="get" | "setdefault"), args=[name, *_]):
            return [name] if name_of(inner) == "environ" else []
        case ast.Call(func=function, args=[name, *_]):
            return [name] if name_of(function) == "getenv" else []
        case ast.Subscript(value=inner, slice=name):
            return [name] if name_of(inner) == "environ" else []
        case ast.Compare(left=name, comparators=[inner]):
            return [name] if name_of(inner) == "environ" else []
    return []


def name_of(node: ast.AST) -> str:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def texts_named_in(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Constants, and parameters with a default."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                yield name, text
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                yield name, text
            case ast.arguments(args=args, defaults=[*defaults]) if defaults:
                for arg, default in zip(args[-len(defaults) :], defaults, strict=True):
                    if isinstance(default, ast.Constant) and isinstance(default.value, str):
                        yield arg.arg, default.value


def text_of(node: ast.expr, names: dict[str, str]) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return names.get(name)
    return None


def all_variables() -> dict[str, list[str]]:
    """The variables of the whole source, with the modules that read them."""
    found: dict[str, list[str]] = {}
    for module in sorted(SOURCE.rglob("*.py")):
        for name in variables_in(module.read_text(encoding="utf-8")):
            found.setdefault(str(name), []).append(module.relative_to(SOURCE).as_posix())
    return found


def variables_on_the_page() -> set[str]:
    page = Path(ROOT, "docs", "guides", "environment.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[A-Z].*?`) \|", page, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_the_page_names_every_variable_that_is_read_and_no_other() -> None:
    assert set(all_variables()) == variables_on_the_page()


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("os.environ.get('A')", ["A"]),
        ("os.environ['A']", ["A"]),
        ("'A' in os.environ", ["A"]),
        ("getenv('A', 'b')", ["A"]),
        ("typer.Option(envvar='A')", ["A"]),
        ("_NAME = 'A'\nenviron.get(_NAME)", ["A"]),
        ("def read(name='A'): return os.environ[name]", ["A"]),
        ("os.environ.get(unknown)", [None]),
        ("dict(os.environ)", [None]),
        ("{}.get('A'), {}['A']", []),
    ],
)
def test_variables_are_found_however_they_are_read(code: str, names: list[str | None]) -> None:
    assert list(variables_in(code)) == names
