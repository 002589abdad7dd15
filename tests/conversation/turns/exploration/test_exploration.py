"""Turns of the real code, in every order in which their calls of the store can come."""

import pytest

from tests.conversation.turns.exploration.scenarios import SCENARIOS, Scenario, explored
from tests.sizes import STATES


@pytest.mark.proof
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    budget, how = SCENARIOS[name]
    found = explored(monkeypatch, Scenario(budget, **how), STATES)
    assert found.ends > 0
    assert found.is_whole or found.executions == STATES
