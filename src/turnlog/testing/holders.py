"""Promises about processes that died while they held a session, or waited for it."""

from __future__ import annotations

import asyncio
import sys

import pytest

from turnlog.conversation.session import StoredSession
from turnlog.errors import SessionBusy
from turnlog.items.json import encode
from turnlog.loops.processes import own_process
from turnlog.records import Log

__all__ = ["HolderTests"]


class HolderTests:
    """Promises about what a dead process leaves behind; the leases last for ten minutes.

    It uses the fixture `stored`: a session on the store under test.
    """

    async def test_a_holder_that_is_gone_frees_the_session(self, stored: StoredSession) -> None:
        log = _log(stored).beside("lease")
        claim = {"holder": "gone", "seconds": 600, "until": 1e12, "process": await _gone()}
        for policy in ("reject", "queue"):
            await stored.store.append(log, [encode(claim)])
            async with stored.turn(policy, policy=policy):
                assert len(await stored.store.read(log)) == 1
            assert await stored.store.read(log) == []

    async def test_a_waiter_that_is_gone_keeps_nobody_waiting(self, stored: StoredSession) -> None:
        log, gone = _log(stored).beside("queue"), await _gone()
        tickets = [encode({"waiter": f"gone {n}", "process": gone}) for n in range(3)]
        await stored.store.append(log, tickets)
        async with stored.turn("hello"):
            assert await stored.store.read(log) == []

    @pytest.mark.parametrize("process", ["0123456789abcdef/1/1", "nonsense", None], ids=str)
    async def test_whoever_is_not_known_to_be_gone_keeps_it(
        self, stored: StoredSession, process: str | None
    ) -> None:
        log = _log(stored).beside("lease")
        claim = {"holder": "other", "seconds": 600, "until": 1e12, "process": process}
        end = await stored.store.append(log, [encode(claim)])
        with pytest.raises(SessionBusy):
            async with stored.turn("hello", policy="reject"):
                pass
        await stored.store.remove(log, expect=end)


def _log(session: StoredSession) -> Log:
    return Log(session.session_id, session.branch)


async def _gone() -> str:
    """The name of a process of this machine that has ended. Its pid may be used again."""
    own = own_process()
    if own is None:
        pytest.skip("that a process is gone is known on Linux only")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await process.wait()
    return f"{own.split('/')[0]}/{process.pid}/0"
