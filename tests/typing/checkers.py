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
from pathlib import Path

from tests import ROOT
from tests.typing.snippets import Snippet

__all__ = ["CACHE", "PROGRAMS", "Problem", "problems_in", "pyright", "with_mypy", "written"]

CACHE = ROOT / ".typing_cache"
PROGRAMS = Path(__file__).parent / "programs"

#: Packages that a page speaks of and that are not installed here.
_NOT_INSTALLED = ("litellm",)

#: Rules of pyright's strict mode about what a short example leaves out.
_NOT_OF_EXAMPLES = ("reportUnusedVariable", "reportUnusedImport")


@dataclass(frozen=True, order=True)
class Problem:
    """One complaint of a checker."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{os.path.relpath(self.file, ROOT)}:{self.line}: {self.text}"


def written(snippets: Iterable[Snippet], folder: Path) -> dict[Path, Snippet]:
    """Write each snippet to its file in `folder`, which holds nothing else afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / snippet.name: snippet for snippet in snippets}
    for old in {*folder.glob("*.py")} - files.keys():
        old.unlink()
    for file, snippet in files.items():
        if not file.exists() or file.read_text(encoding="utf-8") != snippet.text:
            file.write_text(snippet.text, encoding="utf-8")  # else its cached result stays valid
    return files


def problems_in(
    files: Mapping[Path, Snippet], code: Sequence[Path] = (), programs: Sequence[Path] = ()
) -> list[Problem]:
    """What both checkers complain of in snippets, at the place where these are printed.

    code: further files and folders for mypy. programs: further files for pyright.
    """
    with ThreadPoolExecutor() as both:
        mypys = both.submit(lambda: [*with_mypy([*code, *files])])
        strict = [file for file, snippet in files.items() if snippet.is_of_readme_or_docstring]
        found = [*pyright([*files, *programs], [*strict, *programs]), *mypys.result()]
    return sorted({*_printed(files, found)})


def _printed(files: Mapping[Path, Snippet], problems: Iterable[Problem]) -> Iterator[Problem]:
    for problem in problems:
        snippet = files.get(problem.file)
        if snippet is None:
            yield problem
        elif (line := snippet.printed_line(problem.line)) and not _is_allowed(problem.text):
            yield Problem(snippet.page, line, problem.text)


def _is_allowed(text: str) -> bool:
    if any(rule in text for rule in _NOT_OF_EXAMPLES):
        return True
    is_missing = "import-not-found" in text or "reportMissingImports" in text
    return is_missing and any(f'"{name}"' in text for name in _NOT_INSTALLED)


def with_mypy(paths: Sequence[Path]) -> Iterator[Problem]:
    """What mypy says of files, with the settings of pyproject.toml."""
    command = ["mypy", "--no-pretty", "--hide-error-context", "--no-color-output"]
    folders = {os.fspath(path.parent) for path in paths if path.suffix and CACHE in path.parents}
    search = os.pathsep.join(["src", *sorted(folders)])
    done = _run([*command, *map(os.fspath, paths)], MYPYPATH=search)
    found = [*re.finditer(r"^(.+?):(\d+): error: (.+)$", done.stdout, re.MULTILINE)]
    if done.returncode and not found:
        raise RuntimeError(done.stdout + done.stderr)
    for line in found:
        yield Problem((ROOT / line[1]).resolve(), int(line[2]), f"{line[3]} (mypy)")


def pyright(paths: Sequence[Path], strict: Sequence[Path] = ()) -> Iterator[Problem]:
    """What pyright says of files: in its standard mode, of the `strict` ones in its strict mode."""
    settings = {
        "include": [os.fspath(path) for path in paths],
        "venvPath": os.fspath(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
        "extraPaths": [os.fspath(ROOT)],
        "typeCheckingMode": "standard",
        "strict": [os.fspath(path) for path in strict],
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
