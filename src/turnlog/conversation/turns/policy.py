"""Session policies: what a run does when another run is in progress on the same branch."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

__all__ = ["Policy", "check_policy"]

#: What a run does when another one is in progress on its session: wait for its end, raise
#: `SessionBusy`, continue on a copy of the conversation, or write without a lease.
Policy: TypeAlias = Literal["queue", "reject", "branch", "off"]


def check_policy(policy: object) -> None:
    """Raise `ValueError` for a value that is not a policy."""
    if policy not in get_args(Policy):
        known = ", ".join(map(repr, get_args(Policy)))
        raise ValueError(f"session_policy is {policy!r}; it must be one of {known}")
