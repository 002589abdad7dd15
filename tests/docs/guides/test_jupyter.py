"""The guide to Jupyter: its cells run in a real kernel, as often as you like."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests import ROOT
from tests.docs.blocks import CELL, Block, blocks_on, printing_on
from turnlog.sync import SQLiteSession

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "guides" / "jupyter.md"
CELLS = [block for block in blocks_on(PAGE) if CELL.fullmatch(block.kind)]
OUTPUTS = {code: said.code for code, said in printing_on(PAGE)}

#: A cell that waits for an answer until the kernel is interrupted.
STOPPED = """
import asyncio, os, signal, threading
from turnlog import OfflineModel

class Hanging(OfflineModel):
    async def respond(self, request):
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        await asyncio.sleep(60)

from turnlog import RunConfig
try:
    await Runner.run(agent, "I am late", session=session, run_config=RunConfig(model=Hanging()))
except BaseException as error:
    print(type(error).__name__)
"""
#: Nobody has to be waited for afterwards, and the same words continue the turn.
AGAIN = """
from turnlog import RunConfig
at_once = RunConfig(session_policy="reject")
result = await Runner.run(agent, "I am late", session=session, run_config=at_once)
print(result.final_output, len(await session.get_items()))
"""
#: The question is asked anew, in the same cell.
ANEW = """
for _ in range(2):
    await session.rewind(turns=1)
    result = await Runner.run(agent, "I am late", session=session, key="a key")
    print(result.is_replay, len(await session.get_items()))
"""


@pytest.fixture(autouse=True)
def _leave_the_home_directory_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))


def run(codes: list[str], folder: Path) -> list[str]:
    """Run the cells in a kernel of their own. Returns what each prints."""
    cells = [nbformat.v4.new_code_cell(code) for code in codes]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    NotebookClient(
        notebook,
        timeout=240,
        startup_timeout=240,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    return [
        "".join(out["text"] for out in cell.outputs if out.get("name") == "stdout")
        for cell in notebook.cells
    ]


def printed(cell: Block) -> str:
    return OUTPUTS.get(cell, "").rstrip("\n")


def stored(folder: Path) -> list[str]:
    session = SQLiteSession("notebook", folder / "conversations.db")
    return [turn.text for turn in session.turns()]


def test_cells_print_what_the_page_says_and_ask_once(tmp_path: Path) -> None:
    twice = [cell for cell in CELLS for _ in range(2)]  # a restart runs them once more
    for cells in (twice, CELLS):
        said = run([cell.code for cell in cells], tmp_path)
        assert [text.rstrip("\n") for text in said] == [printed(cell) for cell in cells]
    assert stored(tmp_path) == ["My name is Alice", "What's my name?"]


def test_the_stop_button_frees_the_session(tmp_path: Path) -> None:
    [_, error, answer, anew] = run([CELLS[0].code, STOPPED, AGAIN, ANEW], tmp_path)
    assert error.strip() in {"KeyboardInterrupt", "CancelledError"}
    assert answer == "I'll remember: you are late. 2\n"
    assert anew == "False 2\n" * 2
    assert stored(tmp_path) == ["I am late"]
