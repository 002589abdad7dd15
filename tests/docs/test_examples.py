"""Examples on the pages: each runs as it is printed."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import turnlog.layers.traced
import turnlog.sync
import turnlog.testing
from tests import ROOT
from tests.docs.examples import OUTPUTS, PARTS, PROGRAMS, parts
from tests.providers.openai_server import serving

pytestmark = pytest.mark.slow

#: Runs a part of a program, which may await as a notebook does. Clients of `openai` ask the
#: tests' server, whatever address and key are printed.
RUN_PART = """
import ast, asyncio, inspect, sys
import openai

asked = openai.AsyncOpenAI.__init__
openai.AsyncOpenAI.__init__ = lambda self, **options: asked(
    self, **{**options, "api_key": "k", "base_url": sys.argv[1]}
)
blocking = openai.OpenAI.__init__
openai.OpenAI.__init__ = lambda self, **options: blocking(
    self, **{**options, "api_key": "k", "base_url": sys.argv[1]}
)
code = compile(sys.stdin.read(), "part", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
done = eval(code)
if inspect.iscoroutine(done):
    asyncio.run(done)
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_example_runs(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAMS[name]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if "What's my name?" in PROGRAMS[name]:
        assert done.stdout.endswith("Your name is Alice.\n")
    if 'key="request-7f3a"' in PROGRAMS[name]:
        assert done.stdout == "1\n"
    assert done.stdout == OUTPUTS.get(name, done.stdout)


@pytest.mark.parametrize("name", PARTS)
def test_the_part_of_a_program_runs(name: str, tmp_path: Path) -> None:
    part = PARTS[name]
    with serving() as server:
        server.says(*part.replies)
        done = subprocess.run(
            [sys.executable, "-c", RUN_PART, server.url],
            input="\n".join([part.stand_in, part.before, parts()[name], part.after]),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout == part.prints
    assert not server.script


def test_every_part_of_a_program_is_tried() -> None:
    assert set(parts()) == set(PARTS)


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_public_name_is_in_the_reference() -> None:
    pages = (ROOT / "docs" / "reference").glob("*.md")
    named = set(
        re.findall(r"turnlog(?:\.\w+)+", " ".join(page.read_text("utf-8") for page in pages))
    )
    public: set[str] = set()
    for module in (import_module("turnlog"), turnlog.sync, turnlog.testing, turnlog.layers.traced):
        public |= {f"{module.__name__}.{name}" for name in module.__all__}
    assert not public - named


def test_every_folder_of_the_source_is_on_the_page_about_the_layout() -> None:
    page = (ROOT / "docs" / "layout.md").read_text(encoding="utf-8")
    source = ROOT / "src" / "turnlog"
    folders = {path.parent.relative_to(source).as_posix() for path in source.rglob("*.py")} - {"."}
    assert not {folder for folder in folders if f"`{folder}/`" not in page}
