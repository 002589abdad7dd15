"""What happens where an extra is not installed."""

import subprocess
import sys

import pytest

OPENAI = ["agents.openai_responses", "agents.openai_chat", "agents.openai_client"]
#: What needs pydantic, once it is used.
PYDANTIC = [
    "from turnlog.agents import function_tool; function_tool(print)",
    "from turnlog.agents.output import OutputType; OutputType.of(int)",
]


def _imported(module: str, *, without: str) -> str:
    return _ran(f"import turnlog.{module}", without=without)


def _ran(code: str, *, without: str) -> str:
    # An entry of None is how Python notes that a module is not to be had.
    code = f"import sys; sys.modules[{without!r}] = None; {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stderr


@pytest.mark.parametrize(
    ("code", "without"),
    [(f"import turnlog.{name}", "openai") for name in OPENAI]
    + [(code, "pydantic") for code in PYDANTIC],
)
def test_what_is_missing_is_named(code: str, without: str) -> None:
    last = _ran(code, without=without).strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert last.endswith("pip install 'turnlog[openai]'")


@pytest.mark.parametrize("without", ["openai", "pydantic"])
def test_agents_and_conversions_need_neither(without: str) -> None:
    for module in ("agents", "agents.model_names", "agents.convert", "agents.context"):
        assert _imported(module, without=without) == ""
