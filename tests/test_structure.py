"""The house: imports go downwards only, drivers stay in their rooms, and names resolve."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog

ROOT = Path(turnlog.__file__).parent

FLOORS = {
    "errors": 0,
    "lazy": 0,
    "field_names": 0,
    "addresses": 0,
    "items": 0,
    "deep_json": 0,
    "store": 1,
    "loops": 1,
    "columns": 1,
    "line": 1,
    "settings": 1,
    "conversation": 1,
    "tables": 1,
    "merge": 1,
    "repair": 1,
    "sound": 1,
    "turns": 1,
    "kinds": 1,
    "tokens": 1,
    "windows": 1,
    "session": 2,
    "lease": 2,
    "lease_log": 2,
    "waiting": 2,
    "recall": 2,
    "tail": 2,
    "milestones": 2,
    "endings": 2,
    "open_turn": 2,
    "policies": 2,
    "stores": 2,
    "layers": 2,
    "turn": 2,
    "sessions": 3,
    "sync": 4,
    "urls": 4,
    "agents": 4,
    "memory": 5,
    "extensions": 5,
    "cli": 5,
    "testing": 5,
}

#: Third-party packages, and the only rooms that may import them.
ROOMS = {
    "orjson": {"items"},
    "sqlalchemy": {"stores.sqlalchemy", "sessions.sqlalchemy"},
    "redis": {"stores.redis"},
    "openai": {"agents.openai_client"},
    "tiktoken": {"tokens"},
    "pydantic": {"agents.validation"},
    "pydantic_core": {"agents.validation"},
    "dapr": {"stores.dapr"},
    "opentelemetry": {"layers.traced"},
    "typer": {"cli"},
    "rich": {"cli"},
    "pytest": {"testing"},
    "anyio": {"testing"},
    "hypothesis": {"testing"},
}


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def _imports(tree: ast.Module) -> Iterator[str]:
    """What is imported at run time; names for the type checker alone don't count."""
    checked = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and ast.unparse(guard.test) == "TYPE_CHECKING"
        for node in ast.walk(guard)
    }
    for node in ast.walk(tree):
        if id(node) in checked:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            submodules = (f"{module}.{alias.name}" for alias in node.names)
            yield module
            yield from (name for name in submodules if module == "turnlog" or _is_module(name))


def _is_module(name: str) -> bool:
    path = ROOT.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def _floor(module: str) -> int:
    return FLOORS[module.split(".", maxsplit=1)[0]]


@pytest.mark.parametrize(("name", "tree"), list(_modules()))
def test_imports_go_downwards(name: str, tree: ast.Module) -> None:
    for imported in _imports(tree):
        if imported == "turnlog" or not imported.startswith("turnlog."):
            continue
        target = imported.removeprefix("turnlog.")
        if target.split(".")[0] in FLOORS:
            assert _floor(target) <= _floor(name), f"{name} imports {target} from above"


@pytest.mark.parametrize(("name", "tree"), list(_modules()))
def test_stores_and_layers_know_no_sibling(name: str, tree: ast.Module) -> None:
    room = name.split(".")[:2]
    if room[0] not in {"stores", "layers"} or len(room) == 1:
        return
    for imported in _imports(tree):
        other = imported.removeprefix("turnlog.").split(".", 2)[:2]
        assert other[0] not in {"session", "sessions"}
        if other[0] in {"stores", "layers"}:
            assert other in (room, room[:1]), f"{name} imports {imported}"


@pytest.mark.parametrize(("name", "tree"), list(_modules()))
def test_drivers_stay_in_their_rooms(name: str, tree: ast.Module) -> None:
    for imported in _imports(tree):
        package = imported.partition(".")[0]
        if package in sys.stdlib_module_names or package == "turnlog":
            continue
        rooms = ROOMS[package]
        assert any(f"{name}.".startswith(f"{room}.") for room in rooms), f"{name}: {package}"


def test_every_floor_has_its_rooms() -> None:
    assert {name.split(".")[0] for name, _ in _modules()} == set(FLOORS)


def test_importing_turnlog_loads_no_driver() -> None:
    code = "import sys, turnlog; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "sqlalchemy",
        "redis",
        "dapr",
        "grpc",
        "pydantic",
        "sqlite3",
        "orjson",
        "asyncio",
        "opentelemetry",
        "typer",
        "rich",
        "openai",
        "agents",
    }
    assert not heavy & set(out.stdout.split())


def test_every_public_name_resolves() -> None:
    for name in turnlog.__all__:
        assert getattr(turnlog, name) is not None
    assert set(turnlog.__all__) <= set(dir(turnlog))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        getattr(turnlog, "Nothing")  # noqa: B009 - a constant that the type checker can't see


def test_the_type_checker_is_told_of_every_public_name() -> None:
    source = (ROOT / "__init__.py").read_text(encoding="utf-8")
    assert set(re.findall(r" as (\w+)$", source, re.MULTILINE)) == set(turnlog.__all__)


def test_names_stand_where_users_of_the_sdk_look() -> None:
    from turnlog import extensions, memory  # noqa: F401, PLC0415
    from turnlog.extensions.memory import AsyncSQLiteSession  # noqa: PLC0415

    assert memory.SQLiteSession is turnlog.SQLiteSession
    assert memory.Session is turnlog.Session
    assert AsyncSQLiteSession is turnlog.AsyncSQLiteSession


def test_what_takes_the_size_of_a_proof_is_marked_as_one() -> None:
    """Else `make proof` would leave it out, and only a sample of it would ever run."""
    for path in Path(__file__).parent.rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        sizes = {
            name.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "sizes"
            for name in node.names
        }
        for test in (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)):
            if test.name.startswith("test_") and sizes & _names(test):
                marks = [ast.unparse(mark) for mark in test.decorator_list]
                assert "pytest.mark.proof" in marks, f"{path.name}: {test.name}"


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
