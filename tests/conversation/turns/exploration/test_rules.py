"""Rules of the protocol: without any one of them, some order of calls breaks a promise."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.conversation.turns.exploration.scenarios import SCENARIOS, Scenario, explored
from turnlog.changes import Append, Change, Check, Committed, Key, Remove
from turnlog.conversation import deletion
from turnlog.conversation.turns import beginning, lease
from turnlog.conversation.turns.claims import Claims
from turnlog.conversation.turns.current import inside
from turnlog.conversation.turns.lease import Lease
from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.errors import LeaseLost
from turnlog.store import Store

#: More than any of these takes.
MOST = 20_000


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """Writes don't check the lease."""
    patch.setattr(Claims, "held", lambda _claims, _position: Check("nothing", 0))


def free_whatever_holds(patch: pytest.MonkeyPatch) -> None:
    """The end removes the claim of a successor as well."""
    patch.setattr(Claims, "free", lambda _claims, _position: Remove(":lease"))


def no_look_at_the_end(patch: pytest.MonkeyPatch) -> None:
    """The question is stored though the log has grown since it was read."""
    begin = OpenTurn.begin

    async def anywhere(self: OpenTurn, payloads: Sequence[bytes] = ()) -> None:
        self._end = None
        await begin(self, payloads)

    patch.setattr(OpenTurn, "begin", anywhere)


def no_keys(patch: pytest.MonkeyPatch) -> None:
    """A write whose answer was lost is done again."""

    async def twice(
        store: Store, session: str, changes: Sequence[Change], _key: Key | None
    ) -> Committed:
        try:
            return await store.commit(session, changes)
        except OSError:
            anywhere = [c._replace(expect=None) if isinstance(c, Append) else c for c in changes]
            return await store.commit(session, anywhere)

    patch.setattr(deletion, "commit_retried", twice)


def no_second_reading(patch: pytest.MonkeyPatch) -> None:
    """A run that waited answers the view that it read before."""

    async def stale(self: Any) -> Any:
        with inside(self._turn):
            merged = await self._view(self.session)
        await self._take_lease()
        with inside(self._turn):
            await self.session.add_items(merged.fresh)
        return merged.shown

    patch.setattr(beginning._Beginning, "_after_lease", stale)


def renewals_are_takeovers(patch: pytest.MonkeyPatch) -> None:
    """A run that was renewed meanwhile believes that it has lost the lease."""

    async def lost(self: Lease, _known: int, _failed: object) -> None:
        self._lose()
        raise LeaseLost(self._guarded)

    patch.setattr(lease.Lease, "_find_claim", lost)


def take_without_looking(patch: pytest.MonkeyPatch) -> None:
    """The claim is written over whatever is there."""
    claim = Claims.claim

    def anywhere(self: Claims, holder: str, position: int) -> Append:
        return claim(self, holder, position)._replace(expect=None)

    patch.setattr(Claims, "claim", anywhere)


LEFT_OUT: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    no_fence: "takeover",
    free_whatever_holds: "takeovers",
    no_look_at_the_end: "a second writer",
    no_keys: "lost answer",
    no_second_reading: "two runs",
    renewals_are_takeovers: "renewals",
    take_without_looking: "two runs",
}


@pytest.mark.parametrize("rule", LEFT_OUT, ids=lambda rule: rule.__name__)
def test_a_rule_that_is_left_out_is_missed(
    rule: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    budget, how = SCENARIOS[LEFT_OUT[rule]]
    with monkeypatch.context() as patch:
        rule(patch)
        with pytest.raises(AssertionError):
            explored(monkeypatch, Scenario(budget, **how), MOST)
