"""`python -m tests.typing`: both checkers over everything; part of `make check`."""

import sys

from tests import ROOT
from tests.typing.checkers import CACHE, PROGRAMS, problems_in, written
from tests.typing.snippets import snippets

#: All that mypy checks beside the snippets, as pyproject.toml says too.
CODE = [ROOT / name for name in ("src", "tests", "bench", "examples")]


def main() -> int:
    folder = CACHE / "snippets"
    files = written(snippets(), folder)
    programs = [*PROGRAMS.glob("*.py"), ROOT / "examples" / "demo.py"]
    problems = problems_in(files, folder, CODE, programs)
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    sys.stdout.write(
        f"mypy and pyright: {len(problems)} problems; {len(files)} snippets "
        f"and {len(programs)} programs checked\n"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
