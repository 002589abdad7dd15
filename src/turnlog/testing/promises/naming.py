"""Naming: hostile ids, log names and keys are kept apart, or refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from turnlog.changes import Forget, Key, Replace
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.hostile import NAMES, PLAIN, UNENCODABLE
from turnlog.testing.looking import all_sessions, payloads_of, positions_of

__all__ = ["Naming"]


async def _write_each(store: Store, log_of: Callable[[str], Log]) -> list[str]:
    """Write each name into the log that it names; returns the names that were not refused."""
    taken = []
    for name in NAMES:
        try:
            await store.append(log_of(name), [name.encode()])
        except ValueError:
            continue
        taken.append(name)
    assert set(PLAIN) <= set(taken)
    return taken


def _session(name: str) -> Log:
    return Log(name)


def _branch(name: str) -> Log:
    return Log("session", name)


def _branch_of_its_own(name: str) -> Log:
    return Log(name, name)


class Naming:
    """No name reaches the data of another name, and names come back unchanged."""

    @pytest.mark.parametrize("log_of", [_session, _branch, _branch_of_its_own])
    async def test_every_name_is_a_log_of_its_own(
        self, store: Store, twin: Store, log_of: Callable[[str], Log]
    ) -> None:
        taken = await _write_each(store, log_of)
        for name in taken:
            assert await payloads_of(twin, log_of(name)) == [name.encode()]

    async def test_ids_come_back_as_they_are(self, store: Store) -> None:
        taken = await _write_each(store, _session)
        assert await all_sessions(store) == taken[::-1]
        for name in taken:
            assert [head.log for head in await store.logs(name)] == [Log(name)]

    async def test_every_name_is_a_prefix_of_what_begins_with_it(self, store: Store) -> None:
        taken = await _write_each(store, _session)
        for prefix in taken:
            found = await store.sessions(prefix=prefix, limit=len(NAMES))
            expected = [name for name in taken[::-1] if name.startswith(prefix)]
            assert [head.log.session for head in found] == expected

    async def test_log_names_come_back_as_they_are(self, store: Store) -> None:
        taken = await _write_each(store, _branch)
        assert [head.log.name for head in await store.logs("session")] == sorted(taken)

    async def test_forgetting_one_log_forgets_no_other(self, store: Store) -> None:
        taken = await _write_each(store, _branch)
        for name in taken[::2]:
            await store.commit("session", [Forget(name)])
        for n, name in enumerate(taken):
            expected = [name.encode()] if n % 2 else []
            assert await payloads_of(store, _branch(name)) == expected

    @pytest.mark.parametrize("log_of", [_session, _branch])
    async def test_replacing_in_one_log_replaces_in_no_other(
        self, store: Store, log_of: Callable[[str], Log]
    ) -> None:
        taken = await _write_each(store, log_of)
        for name in taken[::2]:
            log, old = log_of(name), name.encode()
            replace = Replace(log.name, await positions_of(store, log), [b"new " + old], [old])
            await store.commit(log.session, [replace])
        for n, name in enumerate(taken):
            expected = name.encode() if n % 2 else b"new " + name.encode()
            assert await payloads_of(store, log_of(name)) == [expected]

    async def test_deleting_a_session_deletes_no_other(self, store: Store) -> None:
        taken = await _write_each(store, _session)
        await _write_each(store, _branch_of_its_own)
        for name in taken[1::2]:
            await store.delete(name)
        for n, name in enumerate(taken):
            left = set() if n % 2 else {Log(name), Log(name, name)}
            assert {head.log for head in await store.logs(name)} == left

    async def test_every_key_is_a_key_of_its_own(self, store: Store, log: Log) -> None:
        taken = []
        for key in NAMES:
            try:
                await store.append(log, [key.encode()], key=Key(key))
            except ValueError:
                continue
            taken.append(key.encode())
        for key in NAMES[::7]:
            if key.encode() in taken:
                await store.append(log, [b"again"], key=Key(key))
        assert await payloads_of(store, log) == taken

    @pytest.mark.parametrize("bad", UNENCODABLE, ids=ascii)
    async def test_lone_surrogates_are_refused(self, store: Store, log: Log, bad: str) -> None:
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: store.append(Log(bad), [b"1"]),
            lambda: store.append(Log("a", bad), [b"1"]),
            lambda: store.append(log, [b"1"], key=Key(bad)),
            lambda: store.read(Log(bad)),
            lambda: store.remove(Log("a", bad)),
            lambda: store.annotate(Log(bad), b"1"),
            lambda: store.logs(bad),
            lambda: store.sessions(prefix=bad),
            lambda: store.delete(bad),
            lambda: store.commit("a", [Forget(bad)]),
            lambda: store.commit("a", [Replace(bad, [1], [b"1"], [b"2"])]),
        ]
        for attempt in attempts:
            with pytest.raises(ValueError):  # noqa: PT011 - the words are each store's own
                await attempt()
        assert await store.sessions() == []
        assert await store.logs("a") == []
        assert await store.logs(log.session) == []

    @pytest.mark.parametrize("bad", [None, 7, b"bytes"], ids=repr)
    async def test_what_is_not_text_is_refused(self, store: Store, bad: object) -> None:
        wrong = cast("str", bad)
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: store.append(Log(wrong), [b"1"]),
            lambda: store.append(Log("a", wrong), [b"1"]),
            lambda: store.read(Log(wrong)),
            lambda: store.annotate(Log(wrong), b"1"),
            lambda: store.logs(wrong),
            lambda: store.sessions(prefix=wrong),
            lambda: store.delete(wrong),
        ]
        for attempt in attempts:
            with pytest.raises(TypeError):
                await attempt()
        assert await store.sessions() == []
        assert await store.logs("a") == []

    @pytest.mark.parametrize("bad", ["k", b"bytes", 7, Key(cast("str", b"k"))], ids=repr)
    async def test_what_is_no_key_is_refused(self, store: Store, log: Log, bad: object) -> None:
        with pytest.raises(TypeError):
            await store.append(log, [b"1"], key=cast("Key", bad))
        assert await store.logs(log.session) == []
