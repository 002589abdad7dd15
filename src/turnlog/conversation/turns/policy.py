"""Session policies: what a run does when another run is under way on the same branch."""

from __future__ import annotations

from typing import get_args

from turnlog.conversation.turns.lease import Policy

__all__ = ["check_policy"]


def check_policy(policy: object) -> None:
    """Raise `ValueError` for a value that is not a policy."""
    if policy not in get_args(Policy):
        known = ", ".join(map(repr, get_args(Policy)))
        raise ValueError(f"session_policy is {policy!r}; it must be one of {known}")
