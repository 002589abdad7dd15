"""Sessions that can be held for another library's runner: `held`, and what is read within."""

from __future__ import annotations

from typing import Self

from turnlog.conversation.advanced import AdvancedNames
from turnlog.conversation.held.block import Block
from turnlog.conversation.held.holding import Holding, StoredHolding
from turnlog.conversation.reading.tail import PagedTail
from turnlog.conversation.turns.policy import Policy
from turnlog.items.json import Item
from turnlog.records import Log

__all__ = ["Holdable"]


class Holdable(AdvancedNames):
    """A stored session that can be held while another library's runner uses it."""

    _negative_limit_means_all = True

    def held(
        self,
        policy: Policy = "queue",
        key: str | None = None,
        lease_seconds: float | None = None,
        busy_timeout: float | None = None,
    ) -> Holding[Self]:
        """Hold the session for a runner of another library, such as that of the OpenAI Agents SDK.

            async with session.held(key=request_id) as held:
                if held.is_replay:
                    return held.text
                return (await Runner.run(agent, question, session=held.session)).final_output

        Within the block no other run writes here, and what is stored is checked against the lease,
        as in a run of Turnlog. If an earlier attempt has left a question without an answer,
        `get_items` leaves it and the work behind it out until the block has its input, the first
        thing that is added, notes apart; a question that waits there is not stored again. So put a
        retry around the block, not into it.

        Runs of Turnlog, turns and held blocks within are part of it. Stay in the block until the
        run has ended; what it stores later raises `LeaseLost`.

        policy: what to do when another run is under way: "queue", "reject" or "branch".
        key: a name for this request. However often the block is entered with the same key, its
            input is stored once; once it was answered, `Held.answer` holds what was stored behind
            it. Then adding raises `ValueError`. Another input raises `KeyReused`.
        lease_seconds: how long a process that died keeps others waiting, at most; None for the
            session's default.
        busy_timeout: for how many seconds it waits for another run before `SessionWaitTimeout`;
            None for no bound.
        """
        return StoredHolding(self, policy, key, lease_seconds, busy_timeout)

    async def _shown_in(self, block: Block, log: Log, limit: int | None) -> list[Item]:
        """What `get_items(limit)` shows in a held block that has no input yet."""
        tail = self._compacted_tail(log) if limit is None else PagedTail(self._reader_of(log))
        most = self._settings.limit if limit is None else limit
        if most is not None and most < 0:
            most = None if self._negative_limit_means_all else 0
        return await block.shown(tail, self._settings, most)
