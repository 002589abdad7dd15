"""Linearizability: what the check accepts and refuses, and histories of several processes."""

import ast
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from turnlog import Log, Store
from turnlog.stores.sqlalchemy import SQLAlchemyStore
from turnlog.testing.linear import Call, is_linearizable
from turnlog.testing.promises import Linear


def _call(verb: str, begin: int, end: int, outcome: object, expect: int | None = None) -> Call:
    return Call(verb, begin, end, expect, None, outcome)


def test_what_overlaps_may_have_come_in_any_order() -> None:
    history = [
        _call("append", 0, 10, 7),
        _call("append", 1, 9, 3, expect=0),
        _call("read", 11, 12, (3, 7)),
    ]
    assert is_linearizable(history)
    assert is_linearizable([*history, _call("delete", 2, 20, None)])
    assert not is_linearizable([*history, _call("read", 13, 14, (3,))])


def test_an_append_on_what_was_deleted_is_refused() -> None:
    first, deleted = _call("append", 0, 1, 1), _call("delete", 2, 5, None)
    late = _call("append", 3, 8, 2, expect=1)
    assert is_linearizable([first, deleted, late])
    assert not is_linearizable([first, deleted, late, _call("read", 9, 10, (2,))])
    conflict = late._replace(outcome=("conflict", 0))
    assert is_linearizable([first, deleted, conflict, _call("read", 9, 10, ())])
    assert not is_linearizable([first, conflict._replace(outcome=("conflict", 1))])


CLIENT = """
import asyncio, sys
from turnlog import Log, open_store
from turnlog.testing.linear import client

async def main(url, name, seed):
    async with open_store(url) as store:
        await store.append(Log(f"warm {seed}"), [b"{}"])
        print("ready", flush=True)
        while line := sys.stdin.readline():
            log = Log(f"s{line.strip()}", name)
            seeds = (seed * 100 + int(line) * 2 + n for n in range(2))
            clients = (client(store, log, "k", 6, seed=each) for each in seeds)
            calls = [tuple(call) for each in await asyncio.gather(*clients) for call in each]
            print(calls, flush=True)

url, name, seed = sys.argv[1:]
asyncio.run(main(url, name, int(seed)))
"""
PROCESSES, ROUNDS = 3, 20


@pytest.fixture(params=["postgres", "mariadb", "sqlite", "aiosqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param.endswith("sqlite"):
        scheme = request.param.replace("aio", "sqlite+aio")
        return f"{scheme}:///{tmp_path}/a.db"
    server = request.getfixturevalue(request.param)
    if request.param == "redis":
        return f"{server.url}?prefix=linear-{tmp_path.name}"
    return str(server.url(server.fresh_database()))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["main", ":usage"])
def test_histories_of_processes_are_linearizable(url: str, name: str) -> None:
    processes = [_Process(url, name, seed) for seed in range(PROCESSES)]
    try:
        assert {process.line() for process in processes} == {"ready\n"}
        for number in range(ROUNDS):
            for process in processes:
                process.begin(number)
            history = [call for process in processes for call in process.calls()]
            assert is_linearizable(history), sorted(history, key=lambda call: call.begin)
    finally:
        for process in processes:
            process.end()


class _Process:
    def __init__(self, url: str, name: str, seed: int) -> None:
        command = [sys.executable, "-c", CLIENT, url, name, str(seed)]
        self._run = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(self, number: int) -> None:
        assert self._run.stdin is not None
        self._run.stdin.write(f"{number}\n")
        self._run.stdin.flush()

    def line(self) -> str:
        assert self._run.stdout is not None
        return self._run.stdout.readline()

    def calls(self) -> list[Call]:
        return [Call(*each) for each in ast.literal_eval(self.line())]

    def end(self) -> None:
        self._run.communicate(timeout=60)
        assert self._run.returncode == 0


LEVELS = [
    ("postgres", "REPEATABLE READ"),
    ("postgres", "SERIALIZABLE"),
    ("mariadb", "READ COMMITTED"),
    ("mariadb", "SERIALIZABLE"),
]


class TestOtherIsolationLevels(Linear):
    """Engines of one's own may have other levels than the server's."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture(params=LEVELS, ids=" ".join)
    async def store(self, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
        kind, level = request.param
        server = request.getfixturevalue(kind)
        engine = create_async_engine(server.url(server.fresh_database()), isolation_level=level)
        yield SQLAlchemyStore(engine)
        await engine.dispose()

    @pytest.fixture
    def twin(self, store: Store) -> Store:
        return store

    @pytest.fixture(params=["main", ":usage"])
    def log(self, request: pytest.FixtureRequest) -> Log:
        return Log("session", request.param)
