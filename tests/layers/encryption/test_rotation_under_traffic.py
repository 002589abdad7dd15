"""Rotation while 32 sessions read and write, killed five times and resumed: nothing is noticed."""

import asyncio
import json
import random
import subprocess
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests import ROOT
from tests.layers.encrypting import Unclosed
from tests.layers.encryption.rotating import BOTH, NEW, OLD, RAW, key_records, sealing_keys
from tests.programs import command
from tests.sizes import ROTATED
from turnlog import Store, StoredSession, open_store
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.keyring import Keyring
from turnlog.stores.memory import MemoryStore

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.proof]

SESSIONS = [f"session {number}" for number in range(32)]
CANARY = "the canary sings"
#: How often the rotation is killed.
KILLS = 5


def said(number: int) -> dict[str, object]:
    return {"role": "user", "content": f"{number} {CANARY}"}


class Talk:
    """One conversation that is written by one process and read by another, as it were."""

    def __init__(self, store: Store, session: str, ring: Keyring) -> None:
        self.ours = StoredSession(session, Encrypted(Unclosed(store), ring))
        self.theirs = StoredSession(session, Encrypted(Unclosed(store), ring))
        self.kept: list[dict[str, object]] = []
        self.acts = 0

    async def fill(self, count: int) -> None:
        await self._add(count)
        await self.ours.describe(title=CANARY)

    async def until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.act()
            await asyncio.sleep(0.01)

    async def act(self) -> None:
        self.acts += 1
        match random.randrange(4):
            case 0:
                await self._add(random.randrange(1, 4))
            case 1:
                expected = self.kept.pop() if self.kept else None
                assert await self.ours.pop_item() == expected
            case 2:
                assert (await self.theirs.about()).title == CANARY
            case 3:
                await self.ours.describe(tags=[CANARY, str(self.acts)])
        assert await self.theirs.get_items() == self.kept
        assert not self.theirs.unreadable

    async def _add(self, count: int) -> None:
        added = [said(number) for number in range(self.acts, self.acts + count)]
        await self.ours.add_items(added)
        self.kept += added


@asynccontextmanager
async def traffic(talks: list[Talk]) -> AsyncIterator[None]:
    """Within, all of them read and write. An error of one of them is raised at the end."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(talk.until(stop)) for talk in talks]
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait(tasks)


async def filled(store: Store) -> None:
    await asyncio.gather(*(Talk(store, each, OLD).fill(ROTATED) for each in SESSIONS))


async def talks_on(store: Store) -> list[Talk]:
    talks = [Talk(store, each, BOTH) for each in SESSIONS]
    for talk in talks:
        talk.kept = await talk.theirs.get_items()
        assert len(talk.kept) == ROTATED
    return talks


async def check_rotated(store: Store, talks: list[Talk], old: set[int]) -> None:
    """The old keys are needed for nothing, and all is there."""
    layer = Encrypted(Unclosed(store), NEW)
    counts = await layer.key_counts()
    assert counts.conversations == counts.data_keys == {"new": len(SESSIONS)}
    for talk in talks:
        session = StoredSession(talk.ours.session_id, layer)
        assert await session.get_items() == talk.kept
        assert (await session.about()).title == CANARY
        assert not session.unreadable
        [key] = await key_records(store, session.session_id)
        assert key.id not in old
        assert await sealing_keys(store, session.session_id) == {key.id}


async def data_keys(store: Store) -> set[int]:
    return {key.id for each in SESSIONS for key in await key_records(store, each)}


async def test_in_memory_no_read_fails() -> None:
    store = MemoryStore()
    await filled(store)
    old, talks = await data_keys(store), await talks_on(store)
    async with traffic(talks):
        layer = Encrypted(Unclosed(store), BOTH)
        assert (await layer.rewrap()).changed == len(SESSIONS)
        rotated = await layer.reseal()
        assert (rotated.changed, rotated.failed) == (len(SESSIONS), {})
    await check_rotated(store, talks, old)


async def test_killed_and_resumed_no_read_fails(
    any_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    key_file = tmp_path / "keys.json"
    async with open_store(any_url) as store:
        await filled(store)
        old, talks = await data_keys(store), await talks_on(store)
        _write(key_file)
        arguments = (any_url, key_file, time.time() + 1)
        await asyncio.sleep(1.1)  # so that keys that are made from here on are newer
        async with traffic(talks):
            for _ in range(KILLS):
                await _each_has_acted(talks)
                await asyncio.to_thread(_run_and_kill, arguments)
            await asyncio.to_thread(_run, arguments)
            await _each_has_acted(talks)
        assert min(talk.acts for talk in talks) > KILLS
        await check_rotated(store, talks, old)
        texts = [bytes(each) async for each in _everything(store)]
    assert not any(CANARY.encode() in text for text in texts)
    for file in _files(any_url, request):
        assert CANARY.encode() not in file.read_bytes(), file


async def _each_has_acted(talks: list[Talk]) -> None:
    """Wait until each conversation has gone on."""
    before = [talk.acts for talk in talks]
    while any(talk.acts == acts for talk, acts in zip(talks, before, strict=True)):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def _write(key_file: Path) -> None:
    keys = {each: b64encode(RAW[each]).decode() for each in RAW}
    key_file.touch(0o600)
    key_file.write_text(json.dumps({"primary": "new", "keys": keys}))


def _run_and_kill(arguments: tuple[object, ...]) -> None:
    program = command("rotate_until_killed", *arguments)
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            for _ in range(random.randrange(1, len(SESSIONS))):
                assert process.stdout.readline(), "the rotation ended before it was killed"
            time.sleep(random.random() / 20)
        finally:
            process.kill()


def _run(arguments: tuple[object, ...]) -> None:
    program = command("rotate_until_killed", *arguments)
    subprocess.run(program, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=300)


async def _everything(store: Store) -> AsyncIterator[bytes]:
    """All payloads and notes, as the store holds them."""
    for session in SESSIONS:
        for head in await store.logs(session):
            yield head.note
            for payload in (await store.read(head.log)).payloads:
                yield payload


def _files(url: str, request: pytest.FixtureRequest) -> list[Path]:
    """All files of the database: also its write-ahead log and pages that are free."""
    kind = request.node.callspec.params["any_url"]
    folder = Path(url).parent if kind == "sqlite" else request.getfixturevalue(kind).folder
    found = [each for each in folder.rglob("*") if each.is_file() and each.stat().st_size]
    assert found
    return found
