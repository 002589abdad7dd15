"""`make bench`: Turnlog beside the OpenAI Agents SDK and bare `sqlite3`, in one run."""

import argparse
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.harness import measure, report
from bench.sqlite_workloads import workloads


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the databases lie; your temp folder")
    parser.add_argument("--only", default="", help="only workloads whose name holds this text")
    options = parser.parse_args()
    heading = ("turnlog us", "sdk us", "bare us", "vs sdk", "of bare", "spread")
    print(
        f"{'one operation, median':<44} {heading[0]:>12} {heading[1]:>12} {heading[2]:>12} "
        f"{heading[3]:>10} {heading[4]:>8} {heading[5]:>8}   goal"
    )
    for workload in workloads():
        if options.only in workload.name:
            measure(workload, options.rounds, options.folder)
            print(report(workload), flush=True)
    print(
        f"{'import turnlog, fresh process':<44} {_import_time() * 1e6:>12,.0f}{'':>56}under 100 ms"
    )


def _import_time() -> float:
    """Seconds that a fresh interpreter takes to import turnlog and end."""
    return median(_timed("import turnlog") for _ in range(9))


def _timed(code: str) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return perf_counter() - start


if __name__ == "__main__":
    main()
