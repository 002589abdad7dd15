"""What every stored session has beside the four verbs, and the stores below it."""

from typing import assert_type

from turnlog import (
    About,
    Branch,
    Compaction,
    CompactionResult,
    Cursor,
    Difference,
    Encrypted,
    Explanation,
    Head,
    Item,
    Keyring,
    Log,
    Position,
    Records,
    RedisSession,
    SessionSettings,
    SQLiteSession,
    Store,
    StoredSession,
    Summarised,
    TurnInfo,
    Usage,
    open_store,
)
from turnlog.layers.traced import Traced
from turnlog.stores.memory import MemoryStore


async def summary(items: list[Item]) -> str:
    return f"{len(items)} items"


async def longer_summary(items: list[Item]) -> Summarised:
    made: list[Item] = [{"role": "user", "content": "Earlier: …"}]
    return Summarised(made, "gpt-5-mini", {"input_tokens": 3})


async def branches(session: SQLiteSession) -> None:
    fork = await session.fork("another try", at=2)
    assert_type(fork, SQLiteSession)
    assert_type(await session.edit(1, {"role": "user", "content": "Hi"}), SQLiteSession)
    assert_type(await session.fork(at=Position(3)), SQLiteSession)
    assert_type(await session.branches(), list[Branch])
    assert_type(await session.diff(fork), Difference)
    assert_type(await session.rewind(turns=1, keep_as="before"), int)
    await session.switch_to("another try")
    await session.delete_branch("another try", force=True)


async def of_its_own_class(session: RedisSession) -> None:
    assert_type(await session.fork(), RedisSession)
    assert_type(await session.ping(), bool)
    async with session as same:
        assert_type(same, RedisSession)


async def reading(session: StoredSession) -> None:
    assert_type(await session.explain(SessionSettings(max_turns=3)), Explanation)
    assert_type(await session.turns(limit=10), list[TurnInfo])
    assert_type(await session.usage(), Usage)
    assert_type(await session.usage("turn"), dict[int | None, Usage])
    assert_type(await session.usage("model", branches="all"), dict[str, Usage])
    assert_type(await session.about(), About)
    await session.describe(title="Oslo", tags=["travel"], hold=True)
    await session.add_items([{"role": "user", "content": "Hi"}], key="request-7f3a")
    assert_type(await session.compact(summary, keep=3), CompactionResult | None)
    await session.compact(longer_summary, dry_run=True)
    session.session_settings = SessionSettings(limit=3)


async def turns(session: StoredSession) -> None:
    compaction = Compaction(summary, max_tokens=20_000)
    async with session.turn("Hi", key="request-7f3a", compaction=compaction) as turn:
        if turn.answer is None:
            await turn.add([{"role": "assistant", "content": "Hello."}], usage={"input_tokens": 3})
        await turn.end()


async def stores() -> None:
    async with open_store("memory://") as store:
        assert_type(store, Store)
        assert_type(await store.read(Log("user_123"), limit=3), Records)
        assert_type(await store.sessions(limit=3, after=Cursor(0.0, "")), list[Head])
    keys = Keyring({"2026-11": b"0" * 32}, primary="2026-11")
    sealed = Traced(Encrypted(MemoryStore(), keys))
    await reading(StoredSession("user_123", sealed))


async def main() -> None:
    """All of it that asks nobody."""
    async with SQLiteSession("user_123") as session:
        await session.add_items([{"role": "user", "content": "Hi"}] * 5)
        await turns(StoredSession("user_124", MemoryStore()))
        await branches(session)
    await stores()
