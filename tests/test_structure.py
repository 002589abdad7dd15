"""Structure: imports go downwards, drivers stay in their folders, names resolve."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import turnlog

ROOT = Path(turnlog.__file__).parent
TESTS = Path(__file__).parent

#: Folders of names for users of the SDK, and of promises that every store's tests go through.
UNTESTED = {Path("extensions"), Path("testing/promises")}

#: The floor of each folder, and of each module at the root. A module imports from its own
#: folder and from lower floors.
FLOORS = {
    "contract": 0,
    "lazy": 0,
    "items": 1,
    "loops": 1,
    "convert": 2,
    "layers": 2,
    "stores": 2,
    "conversation": 3,
    "maintenance": 4,
    "sessions": 4,
    "urls": 4,
    "sync": 5,
    "agents": 6,
    "cli": 7,
    "extensions": 7,
    "memory": 7,
    "testing": 7,
    "__main__": 8,
}

#: The modules at the root that are the contract of a store: together one room.
CONTRACT = {"changes", "errors", "records", "store", "texts"}

#: What stores share; apart from these, none knows another.
SHARED = {"addresses", "clock", "options", "outages", "retrying"}
SHARED |= {"tables", "tables_sqlite", "tables_structure"}
#: A layer that is too large for one module, and the package of its parts.
PARTS = {"encrypted": "encryption"}

#: Third-party packages, and the only rooms that may import them.
ROOMS = {
    "orjson": {"items.json"},
    "sqlalchemy": {"stores.sqlalchemy", "sessions.sqlalchemy"},
    "redis": {"stores.redis"},
    "openai": {
        "agents.models.openai.client",
        "sessions.conversations.client",
        "sessions.openai_compaction",
    },
    "tiktoken": {"items.tokens"},
    "pydantic": {"agents.tools.pydantic"},
    "pydantic_core": {"agents.tools.pydantic"},
    "dapr": {"stores.dapr"},
    "opentelemetry": {"layers.traced"},
    "cryptography": {"layers.encryption"},
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


MODULES = list(_modules())


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


def _ours(tree: ast.Module) -> Iterator[str]:
    """The modules of Turnlog among what is imported, without the package's name."""
    for imported in _imports(tree):
        if imported.startswith("turnlog."):
            yield imported.removeprefix("turnlog.")


@pytest.mark.parametrize(("name", "tree"), MODULES)
def test_imports_go_downwards(name: str, tree: ast.Module) -> None:
    room = _room(name)
    for target in _ours(tree):
        other = _room(target)
        if other != room and other in FLOORS:
            assert FLOORS[other] < FLOORS[room], f"{name} imports {target} from above"


def _room(module: str) -> str:
    name = module.partition(".")[0]
    return "contract" if name in CONTRACT else name


def test_folders_do_not_import_each_other() -> None:
    """Not counted: a folder and one that lies in it."""
    folders: dict[str, set[str]] = {}
    for name, tree in _modules():
        for target in _ours(tree):
            here, there = _folder(name), _folder(target)
            if not f"{here}.".startswith(f"{there}.") and not f"{there}.".startswith(f"{here}."):
                folders.setdefault(here, set()).add(there)
    try:
        list(TopologicalSorter(folders).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of folders: {' -> '.join(error.args[1])}")


def _folder(module: str) -> str:
    """The folder that a module lies in; a module at the root stands for itself."""
    parts = module.split(".")
    while len(parts) > 1 and not ROOT.joinpath(*parts).is_dir():
        parts.pop()
    return ".".join(parts)


def test_no_imports_go_in_a_circle() -> None:
    names = {name for name, _ in MODULES}
    # Not counted: a module and the package that it lies in, which hands out its names.
    below = {
        name: {other for other in _ours(tree) if other in names and not name.startswith(other)}
        for name, tree in MODULES
    }
    try:
        list(TopologicalSorter(below).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(("name", "tree"), MODULES)
def test_stores_and_layers_know_no_sibling(name: str, tree: ast.Module) -> None:
    room = name.split(".")[:2]
    if room[0] not in {"stores", "layers"} or len(room) == 1:
        return
    for target in _ours(tree):
        other = target.split(".", 2)[:2]
        if other[0] in {"stores", "layers"} and other not in (room, room[:1]):
            assert other[1] in {*SHARED, PARTS.get(room[1])}, f"{name} imports {target}"


def test_the_root_holds_names_and_the_contract_only() -> None:
    assert len(list(ROOT.glob("*.py"))) <= 10


@pytest.mark.parametrize(("name", "tree"), MODULES)
def test_drivers_stay_in_their_rooms(name: str, tree: ast.Module) -> None:
    for imported in _imports(tree):
        package = imported.partition(".")[0]
        if package in sys.stdlib_module_names or package == "turnlog":
            continue
        rooms = ROOMS[package]
        assert any(f"{name}.".startswith(f"{room}.") for room in rooms), f"{name}: {package}"


def test_every_floor_has_its_rooms() -> None:
    assert {_room(name) for name, _ in MODULES} == set(FLOORS)


def test_importing_turnlog_loads_no_driver() -> None:
    code = "import sys, turnlog; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "sqlalchemy",
        "redis",
        "cryptography",
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
    assert set(re.findall(r" as (\w+),?$", source, re.MULTILINE)) == set(turnlog.__all__)


def test_names_stand_where_users_of_the_sdk_look() -> None:
    from turnlog import extensions, memory  # noqa: F401, PLC0415
    from turnlog.extensions.memory import AsyncSQLiteSession  # noqa: PLC0415

    assert memory.SQLiteSession is turnlog.SQLiteSession
    assert memory.Session is turnlog.Session
    assert AsyncSQLiteSession is turnlog.AsyncSQLiteSession


def test_every_folder_has_its_tests() -> None:
    """A bug in src/turnlog/X has its test in tests/X."""
    folders = {path.parent.relative_to(ROOT) for path in ROOT.rglob("*.py")} - {Path()}
    tested = {path.parent.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    for folder in folders - UNTESTED:
        within = {folder, *(each for each in tested if folder in each.parents)}
        assert within & tested, f"src/turnlog/{folder} has no tests/{folder}"


def test_what_takes_the_size_of_a_proof_is_marked_as_one() -> None:
    """Else `make proof` would leave it out, and only a sample of it would ever run."""
    for path in TESTS.rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        sizes = {
            name.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "tests.sizes"
            for name in node.names
        }
        for test in (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)):
            if test.name.startswith("test_") and sizes & _names(test):
                marks = [ast.unparse(mark) for mark in test.decorator_list]
                assert "pytest.mark.proof" in marks, f"{path.name}: {test.name}"


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
