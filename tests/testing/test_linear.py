"""Linearizability: what the check accepts and refuses, and histories of several processes."""

import pickle
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from turnlog import Store
from turnlog.changes import Append, Committed, Forget, Remove, Replace
from turnlog.stores.sqlalchemy import SQLAlchemyStore
from turnlog.testing.linear import Call, is_linearizable
from turnlog.testing.promises import Linear


def _append(
    begin: int, end: int, outcome: object, expect: int | None = None, key: str | None = None
) -> Call:
    if isinstance(outcome, int):
        outcome = Committed((outcome,))
    return Call("commit", begin, end, outcome, (Append("main", [b"{}"], expect),), key)


def _read(begin: int, end: int, *positions: int, log: str = "main") -> Call:
    return Call("read", begin, end, positions, log=log)


def test_what_overlaps_may_have_come_in_any_order() -> None:
    history = [_append(0, 10, 7), _append(1, 9, 3, expect=0), _read(11, 12, 3, 7)]
    assert is_linearizable(history)
    assert is_linearizable([*history, Call("delete", 2, 20, None)])
    assert not is_linearizable([*history, _read(13, 14, 3)])


def test_an_append_on_what_was_deleted_is_refused() -> None:
    first, deleted = _append(0, 1, 1), Call("delete", 2, 5, None)
    late = _append(3, 8, 2, expect=1)
    assert is_linearizable([first, deleted, late])
    assert not is_linearizable([first, deleted, late, _read(9, 10, 2)])
    conflict = late._replace(outcome=("conflict", "main", 0))
    assert is_linearizable([first, deleted, conflict, _read(9, 10)])
    assert not is_linearizable([first, conflict._replace(outcome=("conflict", "main", 1))])


def test_both_logs_of_a_commit_change_at_the_same_moment() -> None:
    both = (Append("main", [b"{}"]), Append(":usage", [b"{}"], cut=0))
    written = Call("commit", 0, 20, Committed((1, 2)), both)
    assert is_linearizable([written, _read(1, 2), _read(3, 4, 2, log=":usage")])
    assert not is_linearizable([written, _read(1, 2, 1), _read(3, 4, log=":usage")])


def test_a_replay_is_told_and_changes_nothing() -> None:
    first = _append(0, 1, 5, key="k")
    again = _append(2, 3, Committed((5,), replayed=True), key="k")
    assert is_linearizable([first, again, _read(4, 5, 5)])
    assert not is_linearizable([first, again._replace(outcome=Committed((6,)))])
    assert not is_linearizable([first, again._replace(outcome=Committed((5,)))])
    assert not is_linearizable([again])
    forgotten = Call("commit", 2, 3, Committed((0,)), (Forget("main"),))
    late = again._replace(begin=4, end=5)
    assert is_linearizable([first, forgotten, late, _read(6, 7)])
    assert not is_linearizable([first, Call("delete", 2, 3, None), late])


def test_positions_never_come_again() -> None:
    first = _append(0, 1, 9)
    replaced = Call("commit", 2, 3, Committed((9,)), (Append("main", [b"{}"], cut=0),))
    assert not is_linearizable([first, replaced])
    assert is_linearizable([first, replaced._replace(outcome=Committed((10,)))])
    for gone in (
        Call("commit", 2, 3, Committed((0,)), (Remove("main"),)),
        Call("commit", 2, 3, Committed((0,)), (Forget("main"),)),
        Call("delete", 2, 3, None),
    ):
        assert not is_linearizable([first, gone, _append(4, 5, 9)])
        assert is_linearizable([first, gone, _append(4, 5, 10)])


def test_a_replacement_happens_to_what_is_there() -> None:
    def replace(begin: int, end: int, outcome: object, old: bytes, new: bytes) -> Call:
        change = Replace("main", [9], [new], [old])
        return Call("commit", begin, end, outcome, (change,))

    done, lost = Committed((9,)), ("changed", "main", 9, False)
    first = _append(0, 1, 9)
    left, right = replace(2, 9, done, b"{}", b"1"), replace(3, 8, lost, b"{}", b"2")
    assert is_linearizable([first, left, right, replace(10, 11, done, b"1", b"{}")])
    assert not is_linearizable([first, left, right._replace(outcome=done)])
    assert not is_linearizable([first, left, right, replace(10, 11, done, b"2", b"{}")])
    assert not is_linearizable([first, right])
    gone = Call("commit", 12, 13, Committed((0,)), (Remove("main"),))
    late = replace(14, 15, ("changed", "main", 9, True), b"1", b"2")
    assert is_linearizable([first, left, gone, late])
    assert not is_linearizable([first, left, gone, late._replace(outcome=lost)])


CLIENT = """
import asyncio, pickle, sys
from turnlog import Log, open_store
from turnlog.testing.clients import client

async def main(url, seed):
    async with open_store(url) as store:
        await store.append(Log(f"warm {seed}"), [b"{}"])
        print("ready", flush=True)
        while line := sys.stdin.readline():
            seeds = (seed * 100 + int(line) * 2 + n for n in range(2))
            clients = (client(store, f"s{line.strip()}", "k", 6, seed=each) for each in seeds)
            calls = [call for each in await asyncio.gather(*clients) for call in each]
            print(pickle.dumps(calls).hex(), flush=True)

url, seed = sys.argv[1:]
asyncio.run(main(url, int(seed)))
"""
PROCESSES, ROUNDS = 3, 40


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
def test_histories_of_processes_are_linearizable(url: str) -> None:
    processes = [_Process(url, seed) for seed in range(PROCESSES)]
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
    def __init__(self, url: str, seed: int) -> None:
        command = [sys.executable, "-c", CLIENT, url, str(seed)]
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
        calls: list[Call] = pickle.loads(bytes.fromhex(self.line()))  # noqa: S301 - our own program's
        return calls

    def end(self) -> None:
        self._run.communicate(timeout=250)
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
