"""Lost acknowledgements: a change of branches that happened is not reported as refused."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from turnlog import StoredSession
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure, first_calls_of
from turnlog.testing.three_turns import branch_names, records_of, turns

pytestmark = pytest.mark.anyio

Act = Callable[[StoredSession], Awaitable[Any]]


async def edit(session: StoredSession) -> StoredSession:
    return await session.edit((await records_of(session)).positions[2], turns(7)[0], "new")


async def replace(session: StoredSession) -> bool:
    snapshot = await session._get_compaction_snapshot(10)
    assert snapshot is not None
    return await snapshot.replace_suffix(2, turns(7)[:1])


ACTS: dict[str, tuple[Act, list[str], int]] = {
    "fork": (lambda session: session.fork("new"), ["main", "old", "new"], 6),
    "edit": (edit, ["main", "old", "new"], 6),
    "rewind": (lambda session: session.rewind(turns=1), ["main", "old"], 4),
    "keep": (lambda session: session.rewind(turns=1, keep_as="new"), ["main", "old", "new"], 4),
    "delete": (lambda session: session.delete_branch("old"), ["main"], 6),
    "replace": (replace, ["main", "old"], 3),
    "replace all": (lambda session: session._atomic_replace_items(turns(7)), ["main", "old"], 2),
}


@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("act", ACTS)
async def test_it_is_tried_again_and_happens_once(act: str, *, happened: bool) -> None:
    store = MemoryStore()
    session = StoredSession("a", store)
    await session.add_items(turns(1, 2, 3))
    await session.fork("old")
    do, branches, items = ACTS[act]
    lost = Failure(ConnectionError("lost"), happened=happened)
    await do(StoredSession("a", Failing(store, first_calls_of("commit", lost))))
    assert await branch_names(session) == branches
    assert len(await session.get_items()) == items
