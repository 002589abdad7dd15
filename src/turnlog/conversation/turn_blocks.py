"""Turn blocks: `session.turn`, which holds a session while the caller runs the loop of one turn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from turnlog.conversation.compaction.automatic import compacted_after
from turnlog.conversation.compaction.compactable import Compactable
from turnlog.conversation.compaction.policy import Compaction
from turnlog.conversation.held.holdable import Holdable
from turnlog.conversation.reading.run_input import run_input
from turnlog.conversation.settings import SettingsLike
from turnlog.conversation.turns.answering import accounted
from turnlog.conversation.turns.beginning import turn_begun
from turnlog.conversation.turns.duration import check_busy_timeout, check_lease_seconds
from turnlog.conversation.turns.policy import Policy, check_policy
from turnlog.conversation.turns.run_key import RunKey
from turnlog.conversation.turns.turn import Turn, block_of
from turnlog.conversation.usage.spending import Spending, spent_at_end
from turnlog.items.given import check_key
from turnlog.items.merge import Merged, SessionInputCallback, input_items

__all__ = ["TurnBlocks"]


class TurnBlocks(Holdable, Compactable):
    """The method of a session that holds it for one turn of a loop of the caller's own."""

    @asynccontextmanager
    async def turn(
        self,
        new: str | Iterable[object],
        *,
        policy: Policy = "queue",
        settings: SettingsLike = None,
        callback: SessionInputCallback | None = None,
        lease_seconds: float | None = None,
        busy_timeout: float | None = None,
        key: str | None = None,
        usage: object = None,
        compaction: Compaction | None = None,
    ) -> AsyncIterator[Turn]:
        """Hold the session for one turn of a loop of your own.

            async with session.turn("What's my name?") as turn:
                response = await client.responses.create(model="gpt-5-mini", input=turn.input)
                await turn.add(response.output)

        The new input is stored before the block begins; a retry of a turn that has no
        answer yet stores nothing twice. Within the block no other run writes here.

        The turn is over when the model has answered, when the block ends without an error and
        the last item is a tool's output, or after `await turn.end()`. Then the same words are a
        new question.

        new: the user's message, or a list of items.
        policy: what to do when another run is under way; see `RunConfig.session_policy`.
        settings, callback: as in `RunConfig`.
        lease_seconds: how long a turn that died keeps others waiting, at most; None for the
            session's default.
        busy_timeout: for how many seconds it waits for another run before `SessionWaitTimeout`;
            None for no bound.
        key: a name for this turn, such as the id of a request. However often it is begun with
            the same key, the question is stored once; once it was answered, `Turn.answer` holds
            what was stored behind it, and there is nothing to do. Then another input raises
            `KeyReused`.
        usage: what the turn has cost, read when the block ends: a usage object that your loop
            adds to, or a function that gives one. `Turn.add` takes usage too; both add up.
        compaction: when older turns are summed up, as in `RunConfig`. That happens behind the
            block, and `Turn.compaction` then tells the outcome.
        """
        if key is not None:
            check_key(key)
        check_policy(policy)
        check_lease_seconds(lease_seconds)
        check_busy_timeout(busy_timeout)
        given = input_items(new)
        log = await self._arrived()
        if compaction is not None:
            self._check_compactable()
        run = None if key is None else RunKey.of(log, key, given)

        async def view(session: TurnBlocks, *, resumes: bool = True) -> Merged:
            return await run_input(
                session,
                given,
                settings=settings,
                callback=callback,
                resumes=resumes,
                bounding=None if compaction is None else compaction.bounding,
            )

        async with turn_begun(
            self, view, policy, seconds=lease_seconds, busy_timeout=busy_timeout, key=run
        ) as begun:
            spending = Spending()
            turn = Turn(begun.session, begun.shown, begun.turn, begun.answer, spending)
            async with accounted(begun.session, begun.turn, begun.question, spending) as pending:
                with spent_at_end(spending, usage), block_of(turn):
                    yield turn
                await turn.left(pending)
        if compaction is not None and begun.answer is None:
            turn.compaction = await compacted_after(
                begun.session, compaction, question=begun.question, reported=spending.last
            )
