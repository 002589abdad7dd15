"""Benchmarks: Turnlog beside the OpenAI Agents SDK and bare drivers, in one run.

    make bench                                        every workload, then bench.listing
    python -m bench --only postgresql --rounds 3      those whose name holds a text

The workloads, with the module that defines them:

    sqlite_workloads  a server that serves customers one after another; 64 sessions at once; one
                      item at a time; reads of all items and of the newest 50, in logs of 1,000 to
                      1,000,000 items
    run_workloads     a turn of the runner with a model that answers at once, over a file,
                      PostgreSQL and Redis, and the two commits of which such a turn consists
    sql_workloads     PostgreSQL: add, read, both, and 32 sessions at once
    turn_lists        the newest 20 turns of conversations of 1,000 and 100,000 items
    redis_workloads   Redis: add, read, and a session from a URL
    fork_workloads    a fork of 100,000 items over a file, PostgreSQL and Redis, beside reading them
    encryption_workloads
                      1,000 items added and read on a file, a turn, and PostgreSQL; "bare" is the
                      same store without encryption
    import            `import turnlog` in a fresh process

Pages of the list of sessions take some minutes to prepare, so they have a table of their own:
bench/listing.py.

For each the table shows microseconds of one operation (median of the rounds): ours, the SDK's and
the bare driver's; how many times as fast as the SDK we are; our speed in percent of the bare
driver's; the spread of our rounds; and the goal for the two ratios.

PostgreSQL and Redis are started on loopback ports, as the tests do. Redis flushes each second, its
default on managed servers.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

from bench import (
    encryption_workloads,
    fork_workloads,
    redis_workloads,
    run_workloads,
    sql_workloads,
    sqlite_workloads,
    turn_lists,
)
from bench.harness import Workload, measure, report
from tests.servers.databases import PostgresServer
from tests.servers.redis import RedisServer


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="rounds that are measured (default: 7)"
    )
    parser.add_argument("--folder", type=Path, help="folder of the databases (default: temporary)")
    parser.add_argument("--only", default="", help="only workloads whose name contains this text")
    options = parser.parse_args()
    heading = ("turnlog us", "sdk us", "bare us", "vs sdk", "of bare", "spread")
    print(
        f"{'one operation, median':<44} {heading[0]:>12} {heading[1]:>12} {heading[2]:>12} "
        f"{heading[3]:>10} {heading[4]:>8} {heading[5]:>8}   goal"
    )
    with ExitStack() as servers:
        for workload in _workloads(options.only, servers):
            measure(workload, options.rounds, options.folder)
            print(report(workload), flush=True)
    print(
        f"{'import turnlog, fresh process':<44} {_import_time() * 1e6:>12,.0f}{'':>56}under 100 ms"
    )


def _workloads(only: str, servers: ExitStack) -> Iterator[Workload]:
    """Workloads whose name contains `only`; a server is started when the first one needs it."""
    turns = run_workloads.sqlite_workloads()
    yield from _named(only, [*sqlite_workloads.workloads(), *turn_lists.workloads(), *turns])
    yield from _named(only, encryption_workloads.sqlite_workloads())
    yield from _named(only, fork_workloads.workloads("sqlite"))
    if not only.startswith("redis"):
        url = servers.enter_context(PostgresServer()).url()
        turns = run_workloads.postgresql_workloads(url)
        yield from _named(only, [*sql_workloads.workloads(url), *turns])
        yield from _named(only, encryption_workloads.postgresql_workloads(url))
        yield from _named(only, fork_workloads.workloads("postgresql", url))
    if not only.startswith("postgresql"):
        url = servers.enter_context(RedisServer("--appendfsync", "everysec")).url
        turns = run_workloads.redis_workloads(url)
        yield from _named(only, [*redis_workloads.workloads(url), *turns])
        yield from _named(only, fork_workloads.workloads("redis", url))


def _named(only: str, workloads: list[Workload]) -> Iterator[Workload]:
    return (workload for workload in workloads if only in workload.name)


def _import_time() -> float:
    """Seconds that a new interpreter takes to import turnlog and exit."""
    return median(_timed("import turnlog") for _ in range(9))


def _timed(code: str) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return perf_counter() - start


if __name__ == "__main__":
    main()
