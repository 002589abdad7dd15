"""The typed programs, run as far as they ask nobody."""

import asyncio
import inspect
from importlib import import_module

import pytest

from tests.typing.checkers import PROGRAMS

NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_the_program_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    main = getattr(import_module(f"tests.typing.programs.{name}"), "main", None)
    if inspect.iscoroutinefunction(main):
        asyncio.run(main())
    elif main is not None:
        main()


def test_there_are_programs() -> None:
    assert NAMES == ["clients", "names", "runs", "sessions", "stored", "twins"]
