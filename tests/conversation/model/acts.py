"""Acts: what a random walk does to a session, as JSON, so that another process can do it too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from turnlog import Log, Position, StoredSession
from turnlog.store import Store
from turnlog.testing.five_turns import texts

__all__ = ["Act", "done", "performed"]

Act = dict[str, Any]


async def performed(store: Store, act: Act) -> Any:
    """Perform `act` on a new handle; returns its result as JSON, "refused" for a `ValueError`."""
    try:
        return await done(StoredSession("talk", store, branch=act["on"]), act)
    except ValueError:
        return "refused"


async def done(session: StoredSession, act: Act) -> Any:
    """Perform `act` on `session`."""
    return await _ACTS[act["do"]](session, act)


async def _add(session: StoredSession, act: Act) -> None:
    await session.add_items(act["items"])


async def _pop(session: StoredSession, act: Act) -> Any:
    del act
    return await session.pop_item()


async def _clear(session: StoredSession, act: Act) -> None:
    del act
    await session.clear_session()


async def _fork(session: StoredSession, act: Act) -> str:
    at: int | Position | None = act.get("turn")
    if "size" in act:
        at = Position(await _position_before(session, act["size"]))
    return (await session.fork(act["name"], at=at)).branch


async def _delete(session: StoredSession, act: Act) -> None:
    await session.delete_branch(act["name"], force=True)


async def _rewind(session: StoredSession, act: Act) -> int:
    keep_as = act["keep_as"]
    if "size" in act:
        position = await _position_before(session, act["size"])
        return await session.rewind(position=position, keep_as=keep_as)
    if "turn" in act:
        return await session.rewind(turn=act["turn"], keep_as=keep_as)
    return await session.rewind(turns=act["turns"], keep_as=keep_as)


async def _edit(session: StoredSession, act: Act) -> str:
    position = await _position_before(session, act["at"] + 1)
    return (await session.edit(position, act["item"], act["name"])).branch


async def _compact(session: StoredSession, act: Act) -> int | None:
    done = await session.compact(texts, keep=act["keep"])
    return None if done is None else done.covered


async def _drop(session: StoredSession, act: Act) -> bool:
    del act
    return await session.drop_summary()


async def _spend(session: StoredSession, act: Act) -> None:
    for tokens in act["tokens"]:  # a run that goes on spends more; the last figure counts
        usage = _usage_of(act["run"])
        usage.requests, usage.input_tokens, usage.output_tokens = 1, tokens - 1, 1
        usage.total_tokens = tokens
        await session.store_run_usage(SimpleNamespace(context_wrapper=SimpleNamespace(usage=usage)))


async def _position_before(session: StoredSession, size: int) -> int:
    """The position of the last of the first `size` records."""
    log = Log(session.session_id, session.branch)
    return [0, *(await session.store.read(log)).positions][size]


_usages: dict[str, Any] = {}


def _usage_of(run: str) -> Any:
    """The usage object of a run: the same one for the same run."""
    from agents.usage import Usage  # noqa: PLC0415 - most processes need it not

    return _usages.setdefault(run, Usage())


_ACTS = {
    "add": _add,
    "clear": _clear,
    "compact": _compact,
    "delete": _delete,
    "drop": _drop,
    "edit": _edit,
    "fork": _fork,
    "pop": _pop,
    "rewind": _rewind,
    "spend": _spend,
}
