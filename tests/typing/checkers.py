"""Both type checkers over the source, the typed programs and the printed snippets.

mypy checks all Python code of the project, in strict mode. basedpyright, whose engine is
pyright's, checks what users write: printed snippets in the standard mode, which editors have; the
README, the docstrings and the programs of this folder in the strict one.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests import ROOT
from tests.typing.snippets import Snippet

__all__ = ["CACHE", "PROGRAMS", "Problem", "problems_in", "pyright", "with_mypy", "written"]

CACHE = ROOT / ".typing_cache"
PROGRAMS = Path(__file__).parent / "programs"

#: Packages that a page speaks of and that are not installed here.
_NOT_INSTALLED = ("litellm",)

#: Rules of pyright's strict mode about what a short example leaves out.
_NOT_OF_EXAMPLES = ("reportUnusedVariable", "reportUnusedImport", "reportUnusedClass")

#: What mypy says of code on a framework without types. pyright guesses them from the framework's
#: code, is often wrong, and is not asked.
_OF_UNTYPED = ("[untyped-decorator]", "[misc]", "[no-any-return]")


@dataclass(frozen=True, order=True)
class Problem:
    """One complaint of a checker."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{os.path.relpath(self.file, ROOT)}:{self.line}: {self.text}"


def written(snippets: Iterable[Snippet], folder: Path) -> dict[Path, Snippet]:
    """Write each snippet to its file in a folder below `folder`, which holds nothing else then.

    Pages that print files of one name get folders of their own.
    """
    files = {folder / place / snippet.name: snippet for place, snippet in _placed(snippets)}
    for old in {*folder.rglob("*.py")} - files.keys():
        old.unlink()
    for file, snippet in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text(encoding="utf-8") != snippet.text:
            file.write_text(snippet.text, encoding="utf-8")  # else its cached result stays valid
    return files


def _placed(snippets: Iterable[Snippet]) -> Iterator[tuple[str, Snippet]]:
    taken: list[set[str]] = []
    for _, group in groupby(snippets, lambda snippet: snippet.page):
        of_page = [*group]
        names = {snippet.name for snippet in of_page}
        number = next((n for n, used in enumerate(taken) if not used & names), len(taken))
        taken[number:] = [names.union(*taken[number : number + 1]), *taken[number + 1 :]]
        yield from ((f"set{number}", snippet) for snippet in of_page)


def problems_in(
    files: Mapping[Path, Snippet],
    folder: Path,
    code: Sequence[Path] = (),
    programs: Sequence[Path] = (),
) -> list[Problem]:
    """What both checkers complain of in snippets, at the place where these are printed.

    files, folder: from `written`. code: further files and folders for mypy. programs: further
    files for pyright.
    """
    with ThreadPoolExecutor() as both:
        mypys = both.submit(lambda: [*_in_turn(folder, code)])
        found = [*pyright(folder, files, programs), *mypys.result()]
    return sorted({*_printed(files, found)})


def _in_turn(folder: Path, code: Sequence[Path]) -> Iterator[Problem]:
    for place in sorted(folder.iterdir()):
        yield from with_mypy(place, code)
        code = ()  # once is enough


def _printed(files: Mapping[Path, Snippet], problems: Iterable[Problem]) -> Iterator[Problem]:
    for problem in problems:
        snippet = files.get(problem.file)
        if snippet is None:
            yield problem
            continue
        line = snippet.printed_line(problem.line)
        if line is not None and not _is_allowed(snippet, problem.text):
            yield Problem(snippet.page, line, problem.text)


def _is_allowed(snippet: Snippet, text: str) -> bool:
    allowed = _NOT_OF_EXAMPLES + (_OF_UNTYPED if snippet.is_untyped else ())
    is_missing = "import-not-found" in text or "reportMissingImports" in text
    return any(rule in text for rule in allowed) or (
        is_missing and any(f'"{name}"' in text for name in _NOT_INSTALLED)
    )


def with_mypy(folder: Path, code: Sequence[Path] = ()) -> Iterator[Problem]:
    """What mypy says of the files in a folder, with the settings of pyproject.toml."""
    command = ["mypy", "--no-pretty", "--hide-error-context", "--no-color-output"]
    search = os.pathsep.join(["src", os.fspath(folder)])
    done = _run([*command, *map(os.fspath, [*code, folder])], MYPYPATH=search)
    found = [*re.finditer(r"^(.+?):(\d+): error: (.+)$", done.stdout, re.MULTILINE)]
    if done.returncode and not found:
        raise RuntimeError(done.stdout + done.stderr)
    for line in found:
        yield Problem((ROOT / line[1]).resolve(), int(line[2]), f"{line[3]} (mypy)")


def pyright(
    folder: Path, files: Mapping[Path, Snippet], programs: Sequence[Path]
) -> Iterator[Problem]:
    """What pyright says of snippets and programs, in the modes that are named above."""
    typed = [file for file, snippet in files.items() if not snippet.is_untyped]
    strict = [file for file, snippet in files.items() if snippet.is_of_readme_or_docstring]
    settings = {
        "include": [*map(os.fspath, [*typed, *programs])],
        "exclude": [],
        "executionEnvironments": [{"root": os.fspath(place)} for place in folder.iterdir()],
        "venvPath": os.fspath(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
        "extraPaths": [os.fspath(ROOT)],
        "typeCheckingMode": "standard",
        "strict": [*map(os.fspath, [*strict, *programs])],
    }
    CACHE.mkdir(exist_ok=True)
    project = CACHE / "pyrightconfig.json"
    project.write_text(json.dumps(settings), encoding="utf-8")
    done = _run(["basedpyright", "--outputjson", "--project", os.fspath(project)])
    if done.returncode not in {0, 1}:
        raise RuntimeError(done.stdout + done.stderr)
    for found in json.loads(done.stdout)["generalDiagnostics"]:
        line = found["range"]["start"]["line"] + 1
        rule, text = found.get("rule", ""), " ".join(found["message"].split())
        yield Problem(Path(found["file"]).resolve(), line, f"{text} ({rule}, pyright)")


def _run(command: list[str], **environment: str) -> "subprocess.CompletedProcess[str]":
    tool = Path(sys.executable).parent / command[0]
    return subprocess.run(
        [tool, *command[1:]],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
